"""Replica: what the outcomes of its attempts make an endpoint cost."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from recmesh.mesh.ejection import State
from recmesh.mesh.latency import PeakEwma
from recmesh.rpc import Call, Origin, Processed, RpcError, Status
from recmesh.testing import FakeClock
from tests.mesh.kit import FOUND, LOST, REFUSED, Outcome, Script, never, replica, search

NOT_FOUND = RpcError(Status.NOT_FOUND, "no such item", origin=Origin.APP)


class Slow(Script):
    """Answers after a while."""

    def __init__(self, clock: FakeClock, seconds: float, answer: Message | Exception) -> None:
        super().__init__()
        self.clock, self.seconds, self.answer = clock, seconds, answer

    async def __call__(self, call: Call) -> Message:
        await self.clock.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def cost_after(answer: Message | Exception, seconds: float = 0.02) -> float:
    """Of an endpoint that answered one call so, after so long."""
    clock = FakeClock()
    one = replica("a", seconds=clock.seconds)
    one._service = Slow(clock, seconds, answer)
    asked = Outcome(one(search()))
    clock.advance(seconds)
    assert not asked.pending
    return one.cost(clock.seconds())


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (FOUND, 0.02),
        (NOT_FOUND, 0.02),  # an answer as any other
        (LOST, 1.0),
        (RpcError(Status.INTERNAL, "disk full", processed=Processed.MAYBE), 1.0),
        (REFUSED, 0.25),
        (RpcError(Status.UNAVAILABLE, "too busy", processed=Processed.REFUSED, pushback_ms=800), 0.8),
    ],
)
def test_failures_and_refusals_cost_more_than_the_time_they_took(answer: Message | Exception, cost: float) -> None:
    assert cost_after(answer) == pytest.approx(cost, abs=1e-4)


def test_a_failure_that_took_longer_costs_what_it_took() -> None:
    assert cost_after(LOST, seconds=3.0) == pytest.approx(3.0, abs=1e-4)


def test_an_attempt_that_is_given_up_costs_at_least_what_it_had_taken() -> None:
    clock = FakeClock()
    one = replica("a", never(), seconds=clock.seconds)
    asked = Outcome(one(search()))
    clock.advance(0.4)
    asked.cancel()
    assert one.cost(clock.seconds()) == pytest.approx(0.4, abs=1e-4)
    assert (one.in_flight, one.failures, one.health.state) == (0, 0, State.HEALTHY)


class Sent:
    sent = 0

    async def send(self, message: Message, /) -> None: ...


def stream() -> Call:
    call = search()
    call.replies = Sent()
    return call


@pytest.mark.parametrize("how", ["ends", "is given up", "has no more time", "breaks"])
def test_how_long_a_stream_goes_on_is_no_latency(how: str) -> None:
    clock = FakeClock()
    end: Deferred[Message] = never()
    one = replica("a", end, seconds=clock.seconds)
    watching = Outcome(one(stream()))
    clock.advance(600.0)
    assert one.in_flight == 1
    if how == "ends":
        end.callback(FOUND)
    elif how == "is given up":
        watching.cancel()
    else:
        late = RpcError(Status.DEADLINE_EXCEEDED, processed=Processed.MAYBE)
        end.errback(late if how == "has no more time" else LOST)
    assert not watching.pending and one.in_flight == 0
    cost = one.cost(clock.seconds())
    assert cost == pytest.approx(1.0, abs=1e-4) if how == "breaks" else cost < 0.001
    assert one.health.in_a_row == (how == "breaks")


def test_an_endpoint_that_comes_back_starts_slowly_and_forgets_what_it_cost() -> None:
    clock = FakeClock()
    one = replica("a", LOST, seconds=clock.seconds)
    endpoint = one.endpoint
    assert isinstance(endpoint, Script)
    endpoint.state = "backing off"
    Outcome(one(search())).error()
    clock.advance(1.0)
    assert one.cost(clock.seconds()) > 0.5
    assert one.warmth(clock.seconds()) == 1.0
    endpoint.state = "ready"
    one.look_again(clock.seconds())
    assert one.cost(clock.seconds()) < 0.001
    warmth = []
    for _ in range(4):
        warmth.append(one.warmth(clock.seconds()))
        clock.advance(10.0)
    assert warmth == pytest.approx([0.1, 1 / 3, 2 / 3, 1.0])


def test_it_counts_calls_and_the_failures_that_are_its_own() -> None:
    endpoint = replica("a", FOUND, LOST, REFUSED, NOT_FOUND)
    Outcome(endpoint(search())).result()
    for _ in range(3):
        Outcome(endpoint(search())).error()
    assert (endpoint.calls, endpoint.failures, endpoint.in_flight) == (4, 1, 0)
    assert endpoint.last_error == "UNAVAILABLE: connection lost"


def test_it_knows_how_many_calls_are_in_flight_and_when_there_are_none() -> None:
    answer, empty = never(), list[str]()
    endpoint = replica("a", answer, never())
    first, second = Outcome(endpoint(search())), Outcome(endpoint(search()))
    endpoint.when_empty(lambda: empty.append("empty"))
    assert endpoint.in_flight == 2
    answer.callback(FOUND)
    assert endpoint.in_flight == 1 and first.result() is FOUND and not empty
    second.cancel()
    assert endpoint.in_flight == 0 and endpoint.failures == 0 and empty == ["empty"]


samples = st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 10.0)), min_size=1, max_size=50)


@given(samples)
def test_a_latency_rises_at_once_and_stays_among_its_samples(given_: list[tuple[float, float]]) -> None:
    latency, now, highest = PeakEwma(0.0), 0.0, 0.0
    for later, seconds in given_:
        now += later
        before = latency.value(now)
        latency.observe(seconds, now)
        highest = max(highest, seconds)
        assert min(before, seconds) - 1e-9 <= latency.value(now) <= highest + 1e-9
        assert latency.value(now + 10.0) < latency.value(now) or not latency.value(now)


def test_a_latency_falls_to_a_third_in_ten_seconds() -> None:
    latency = PeakEwma(0.0)
    latency.observe(1.0, 0.0)
    assert latency.value(10.0) == pytest.approx(0.368, abs=0.001)
    for tenth in range(1, 101):
        latency.observe(0.1, tenth / 10)
    assert latency.value(10.0) == pytest.approx(0.1 + 0.9 * 0.368, abs=0.01)
