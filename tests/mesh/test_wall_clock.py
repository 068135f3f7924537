"""The clock of a process: nothing that waits follows the wall clock, which is set back and forth."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from twisted.internet.selectreactor import SelectReactor

from recmesh.mesh.gradient import Gradient
from recmesh.mesh.lag import Lag
from recmesh.mesh.limit import Limit
from recmesh.mesh.timeout import Timeout
from recmesh.rpc import Status, stack, tx
from tests.mesh.kit import Outcome, Script, never, search


@pytest.fixture
def reactor() -> Iterator[SelectReactor]:
    made = SelectReactor()
    yield made
    made.removeAll()
    made.disconnectAll()


@pytest.mark.parametrize("step", [-1.0, 1.0])
def test_d03_a_wall_clock_that_is_set_moves_no_timer_of_a_process(
    step: float, reactor: SelectReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, wall = [100.0], [1e9]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: wall[0])
    tx.use_monotonic_clock(reactor)
    clock = tx.Clock(reactor)
    lag = Lag(clock)
    watching = Outcome(lag.watch())
    limit = Limit(clock, random.Random(1), Gradient(), lag=lag.of_call)
    asked = Outcome(stack(limit, Timeout(clock, 0.5), to=Script(never()))(search()))
    for _ in range(49):
        now[0] += 0.01
        wall[0] += step
        reactor.runUntilCurrent()
        assert asked.pending and lag.of_call() < 0.02
    now[0] += 0.011
    reactor.runUntilCurrent()
    assert asked.error().status is Status.DEADLINE_EXCEEDED
    watching.cancel()
    assert not reactor.getDelayedCalls() and limit.in_flight == 0
