"""Breaker."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.breaker import Breaker
from recmesh.rpc import Call, Processed, Service, Status, aio, stack
from recmesh.testing import FakeClock, begin
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.kit import FOUND, LOST, Outcome, Script, never, search
from tests.mesh.test_timeout import WATCH, Nowhere


class Narrow:
    """An upstream that is asked by one call at a time, while two may wait."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.breaker = Breaker(self.clock, most_in_flight=1, most_queued=2)
        self.answers = [never() for _ in range(4)]
        self.upstream = Script(*self.answers)
        self.service: Service = stack(self.breaker, to=self.upstream)

    def call(self, deadline: float | None = None) -> Outcome[object]:
        return Outcome(self.service(search(deadline)))

    @property
    def counts(self) -> tuple[int, int]:
        return self.breaker.in_flight, self.breaker.queued


def test_who_comes_too_many_waits_and_goes_on_in_turn() -> None:
    narrow = Narrow()
    first, second = narrow.call(), narrow.call()
    assert narrow.counts == (1, 1) and len(narrow.upstream.calls) == 1
    narrow.answers[0].callback(FOUND)
    assert first.result() is FOUND and narrow.counts == (1, 0) and len(narrow.upstream.calls) == 2
    narrow.answers[1].errback(LOST)
    assert second.error() is LOST and narrow.counts == (0, 0)
    assert not narrow.clock.timers


def test_a_full_queue_fails_at_once_and_nothing_was_sent() -> None:
    narrow = Narrow()
    for _ in range(3):
        narrow.call()
    error = narrow.call().error()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    assert "1 calls are in flight and 2 wait" in error.message
    assert narrow.breaker.rejected == 1 and narrow.counts == (1, 2)


def test_the_soonest_deadline_is_next() -> None:
    narrow = Narrow()
    narrow.call()
    late, soon = narrow.call(9.0), narrow.call(5.0)
    narrow.answers[0].callback(FOUND)
    assert narrow.upstream.calls[1].context.deadline == 5.0
    narrow.answers[1].callback(FOUND)
    assert soon.done and not late.done


def test_d04_a_call_that_expires_in_the_queue_is_not_sent() -> None:
    narrow = Narrow()
    narrow.call()
    waiting = narrow.call(2.0)
    narrow.clock.advance(2.0)
    error = waiting.error()
    assert (error.status, error.processed) == (Status.DEADLINE_EXCEEDED, Processed.NOT_SENT)
    assert narrow.counts == (1, 0) and len(narrow.upstream.calls) == 1
    narrow.answers[0].callback(FOUND)
    assert narrow.counts == (0, 0) and not narrow.clock.timers


def test_a_caller_who_leaves_the_queue_leaves_no_trace() -> None:
    narrow = Narrow()
    first, second = narrow.call(), narrow.call(2.0)
    second.cancel()
    assert narrow.counts == (1, 0) and not narrow.clock.timers
    first.cancel()
    assert narrow.counts == (0, 0)


def test_streams_are_counted_apart_and_never_wait() -> None:
    narrow = Narrow()
    watch = Call(WATCH, SearchRequest(), replies=Nowhere())
    open_stream = Outcome(narrow.service(watch))
    assert (narrow.breaker.streams, narrow.counts) == (1, (0, 0))
    assert Outcome(narrow.service(watch)).error().processed is Processed.NOT_SENT
    narrow.call()
    assert narrow.counts == (1, 0)
    open_stream.cancel()
    assert narrow.breaker.streams == 0


def test_a_place_given_to_who_leaves_in_that_moment_is_handed_on() -> None:
    async def main() -> None:
        breaker, opened = Breaker(aio.Clock(), most_in_flight=1, most_queued=2), asyncio.Event()

        async def upstream(call: Call) -> SearchResponse:
            await opened.wait()
            return FOUND

        async def first() -> None:
            await stack(breaker, to=upstream)(search())
            second.cancel()  # it has its place, and has not run since

        one = asyncio.ensure_future(first())
        await asyncio.sleep(0)
        second, third = (asyncio.ensure_future(_asked(stack(breaker, to=upstream), search())) for _ in range(2))
        await asyncio.sleep(0)
        assert (breaker.in_flight, breaker.queued) == (1, 2)
        opened.set()
        await one
        assert await third is FOUND and second.cancelled()
        assert (breaker.in_flight, breaker.queued) == (0, 0)

    asyncio.run(main())


@given(st.lists(st.tuples(st.sampled_from(["call", "answer", "cancel", "wait"]), st.integers(0, 9)), max_size=60))
def test_whatever_happens_no_place_is_lost(actions: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    breaker = Breaker(clock, most_in_flight=3, most_queued=3)
    answers = [never() for _ in range(60)]
    upstream = Script(*answers)
    calls = []
    for action, which in actions:
        if action == "call":
            calls.append(begin(_asked(stack(breaker, to=upstream), search(clock.seconds() + 1.0 + which))))
        elif action == "answer" and which < len(upstream.calls) and not answers[which].called:
            answers[which].callback(FOUND)
        elif action == "cancel" and which < len(calls):
            calls[which].cancel()
        elif action == "wait":
            clock.advance(which / 4)
        assert breaker.in_flight <= 3 and breaker.queued <= 3
        assert not breaker.queued or breaker.in_flight == 3
    for each in calls:
        each.cancel()
    assert (breaker.in_flight, breaker.queued) == (0, 0) and not clock.timers


async def _asked(service: Service, call: Call) -> object:
    return await service(call)
