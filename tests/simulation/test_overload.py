"""One process whose limit has to find its way into twice the calls it can answer, whatever a call takes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

import pytest
from twisted.internet.defer import Deferred

from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Call, Context, RpcError, Status, tx
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH
from tests.mesh.faults import nothing_unhandled
from tests.simulation.process import Process, Work
from tests.simulation.reactor import Reactor
from tests.simulation.world import ASKED

__all__ = ["nothing_unhandled"]

pytestmark = pytest.mark.usefixtures("nothing_unhandled")

CALLS: Final = 5_000  # of an overload, about; of many quick workers they come within a second
PATIENCE: Final = 1.0  # seconds that a caller waits


@dataclass
class Load:
    """Calls at random moments, and when those began that were answered and those that were not."""

    work: Work
    reactor: Reactor = field(default_factory=Reactor)
    rng: random.Random = field(default_factory=lambda: random.Random(3))
    answered: list[tuple[float, float]] = field(default_factory=list)  # when, after how long
    failed: list[tuple[float, Status]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = tx.Clock(self.reactor)
        self.process = Process(self.reactor, self.rng, EndpointAddress("one", "one:7200"), self.work)

    def offer(self, load: float, seconds: float) -> tuple[float, float]:
        """So many times what can be answered; when it began and ended."""
        begin = self.reactor.seconds()
        self._next(load * self.work.capacity, begin + seconds)
        self.reactor.run(begin + seconds)
        return begin, begin + seconds

    def _next(self, rate: float, until: float) -> None:
        after = self.rng.expovariate(rate)
        if self.reactor.seconds() + after < until:
            self.reactor.callLater(after, self._call, rate, until)

    def _call(self, rate: float, until: float) -> None:
        Deferred.fromCoroutine(self._ask(self.reactor.seconds()))
        self._next(rate, until)

    async def _ask(self, begin: float) -> None:
        call = Call(RETRIEVAL_SEARCH, ASKED, Context(begin + PATIENCE))
        try:
            await self.clock.within(PATIENCE, _message(self.process.service(call)))
        except RpcError as error:
            self.failed.append((begin, error.status))
        else:
            self.answered.append((begin, self.reactor.seconds() - begin))

    def goodput(self, begin: float, end: float) -> float:
        """As a share of what can be answered."""
        return sum(begin <= at + took < end for at, took in self.answered) / (end - begin) / self.work.capacity

    def share_answered(self, begin: float, end: float) -> float:
        good = sum(begin <= at < end for at, _ in self.answered)
        return good / (good + sum(begin <= at < end for at, _ in self.failed))


async def _message(work: object) -> object:
    return await work  # type: ignore[misc]


@pytest.mark.parametrize("before", [0.5, 2.0])
@pytest.mark.parametrize("workers", [1, 4, 16])
@pytest.mark.parametrize("seconds", [0.001, 0.010, 0.100])
def test_a01_holds_whatever_a_call_takes_and_however_many_are_worked_on(
    seconds: float, workers: int, before: float
) -> None:
    """Also where the first calls come into an overload, of which nobody can know how long calls usually take."""
    load = Load(Work(seconds, workers=workers))
    length = min(40.0, max(0.5, CALLS / (2 * load.work.capacity)))
    load.offer(before, length / 2)
    begin, end = load.offer(2.0, length)
    assert load.goodput(begin, end) >= 0.9
    assert load.goodput(end - length / 4, end) >= 0.9  # it does not decay either
    load.offer(0.5, min(5.0, length))
    assert load.share_answered(*load.offer(0.5, length / 2)) > 0.99
    load.reactor.run(load.reactor.seconds() + 2 * PATIENCE)
    assert (load.process.door.limit.in_flight, load.process.door.limit.waiting) == (0, 0)
    assert not load.reactor.getDelayedCalls()
