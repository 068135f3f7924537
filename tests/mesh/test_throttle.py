"""Throttle."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from recmesh.mesh.throttle import MOST, Throttle
from recmesh.rpc import Call, Channel, Context, Processed, RpcError, Status, stack
from recmesh.testing import FakeClock
from recmesh.v1 import health_pb2
from recmesh.v1.health_rpc import HealthStub
from recmesh.v1.retrieval_pb2 import SearchResponse
from tests.mesh.kit import FOUND, LOST, Outcome, search


class Upstream:
    """Takes so many calls a second, and refuses the rest."""

    def __init__(self, capacity: int = 10**9) -> None:
        self.clock = FakeClock()
        self.throttle = Throttle(self.clock, random.Random(1))
        self.service = stack(self.throttle, to=self.answer)
        self.capacity = capacity
        self.left = capacity
        self.seen = 0

    async def answer(self, call: Call) -> SearchResponse:
        self.seen += 1
        self.left -= 1
        if self.left < 0:
            raise RpcError(Status.UNAVAILABLE, "too much to do", processed=Processed.REFUSED, pushback_ms=100)
        return FOUND

    def second(self, calls: int) -> int:
        """How many of the calls of a second are answered."""
        answered, self.left = 0, self.capacity
        for _ in range(calls):
            outcome = Outcome(self.service(search()))
            with suppress(RpcError):
                answered += outcome.result() is FOUND
        self.clock.advance(1.0)
        return answered


def test_what_is_refused_now_and_then_is_no_reason_to_drop() -> None:
    upstream = Upstream(capacity=60)
    for _ in range(40):
        assert upstream.second(100) == 60
    assert upstream.throttle.dropped == 0


def test_a_service_that_refuses_much_is_asked_less() -> None:
    upstream = Upstream(capacity=100)
    for _ in range(40):
        upstream.second(1_000)
    before = upstream.seen
    answered = sum(upstream.second(1_000) for _ in range(20))
    assert answered == 20 * 100  # what it can do, it still does
    assert upstream.seen - before <= 20 * 300  # a quarter is let through to notice a recovery


def test_the_share_that_is_dropped_is_bounded_and_forgotten() -> None:
    upstream = Upstream(capacity=0)
    for _ in range(40):
        upstream.second(100)
    assert upstream.throttle.probability == MOST
    upstream.clock.advance(30.0)
    assert upstream.throttle.probability == 0.0
    upstream.capacity = 10**9
    assert upstream.second(100) == 100


def test_the_formula() -> None:
    upstream = Upstream(capacity=2)
    upstream.second(4)
    assert upstream.throttle.probability == 0.0
    upstream = Upstream(capacity=1)
    upstream.second(3)
    assert upstream.throttle.dropped == 0
    assert upstream.throttle.probability == pytest.approx((3 - 1 / 0.5) / (3 + 1))


def test_what_is_dropped_was_not_sent() -> None:
    upstream = Upstream(capacity=0)
    for _ in range(5):
        upstream.second(100)
    seen, dropped = upstream.seen, upstream.throttle.dropped
    errors = [Outcome(upstream.service(search())).error() for _ in range(100)]
    unsent = [error for error in errors if error.processed is Processed.NOT_SENT]
    assert len(unsent) == upstream.throttle.dropped - dropped == 100 - (upstream.seen - seen) > 50
    assert unsent[0].status is Status.UNAVAILABLE and "75% are held back" in unsent[0].message


def test_failures_of_other_kinds_and_cancelled_calls_are_not_held_against_it() -> None:
    clock = FakeClock()
    throttle = Throttle(clock, random.Random(1))

    async def failing(call: Call) -> SearchResponse:
        raise LOST

    async def hanging(call: Call) -> SearchResponse:
        await clock.sleep(60.0)
        return FOUND

    for _ in range(100):
        Outcome(stack(throttle, to=failing)(search())).error()
        Outcome(stack(throttle, to=hanging)(search())).cancel()
    assert throttle.probability == 0.0


def test_calls_in_flight_are_not_taken_for_refused() -> None:
    clock = FakeClock()
    throttle = Throttle(clock, random.Random(1))

    async def slow(call: Call) -> SearchResponse:
        await clock.sleep(1.0)
        return FOUND

    calls = [Outcome(stack(throttle, to=slow)(search())) for _ in range(100)]
    assert throttle.probability == 0.0 and throttle.dropped == 0
    clock.advance(1.0)
    assert all(each.result() is FOUND for each in calls)


def test_what_matters_most_and_health_are_always_asked() -> None:
    upstream = Upstream(capacity=0)
    for _ in range(10):
        upstream.second(100)
    before, dropped = upstream.seen, upstream.throttle.dropped
    for _ in range(50):
        Outcome(upstream.service(search(criticality=1))).error()
        health = HealthStub(Channel(upstream.service))
        Outcome(health.check(health_pb2.HealthCheckRequest(), Context())).error()
    assert upstream.seen == before + 100 and upstream.throttle.dropped == dropped
