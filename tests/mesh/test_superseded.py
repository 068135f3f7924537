"""A hedge that wins: what becomes of the attempt that lost, at every policy that counts failures."""

from __future__ import annotations

import random

import pytest

from recmesh.mesh.backend import backend
from recmesh.mesh.ejection import State
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.resolver import Static
from recmesh.testing import FakeClock
from tests.mesh.crowd import Host, at
from tests.mesh.faults import nothing_unhandled
from tests.mesh.kit import FOUND, Log, Outcome, Recorder, search

__all__ = ["nothing_unhandled"]

WARM = 200  # calls, with which latencies and the bucket of hedges are learnt


@pytest.mark.usefixtures("nothing_unhandled")
def test_h02_a_loser_counts_as_no_failure_anywhere() -> None:
    clock, recorder, log = FakeClock(), Recorder(), Log()
    hosts = {name: Host(clock) for name in "ab"}
    given = Surroundings(clock, random.Random(1), recorder, log)
    made = backend("retrieval", Static(map(at, hosts)), Connections(lambda where: hosts[where.id]), given)
    for _ in range(WARM):
        reply = Outcome(made(search()))
        clock.advance(0.01)
        assert reply.result() is FOUND
    hosts["a"].latency = 0.4  # less than an attempt may take: nothing but a hedge ends it
    asked = [Outcome(made(search())) for _ in range(8)]
    for _ in range(100):
        clock.advance(0.01)
    assert all(each.result() is FOUND for each in asked)
    assert made.hedge is not None and made.hedge.won > 0
    for replica in made.replicas:
        assert (replica.failures, replica.health.in_a_row, replica.health.ejections) == (0, 0, 0)
        assert replica.health.state is State.HEALTHY and replica.in_flight == 0
    upstream = made.upstream
    assert (upstream.retry.repeated, upstream.throttle.probability, upstream.breaker.in_flight) == (0, 0.0, 0)
    calls = [labels["code"] for _, labels in recorder.observed["rpc_client_call_duration_seconds"]]
    attempts = [labels["code"] for _, labels in recorder.observed["rpc_client_attempt_duration_seconds"]]
    assert set(calls) == {"OK"} and set(attempts) == {"OK", "CANCELLED"}
    assert attempts.count("CANCELLED") == made.hedge.won
    assert len(attempts) == len(calls) + made.hedge.sent
    assert not log.lines and not clock.timers
