"""Deadline, Attempt and Timeout."""

from __future__ import annotations

import time

import pytest
from twisted.internet.task import Clock

from recmesh.mesh.timeout import Attempt, Deadline, Timeout
from recmesh.rpc import Call, Context, Filter, Method, Processed, Status, stack, tx
from recmesh.rpc.call import ENDED, Kind
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.faults import READING, UNSAFE, Fault, World
from tests.mesh.kit import FOUND, Outcome, Script, never, search

WATCH = Method("/x.X/Watch", SearchRequest, SearchResponse, True, True, Kind.SERVER_STREAM)


class Nowhere:
    """Replies of a stream that nobody reads."""

    sent = 0

    async def send(self, message: object, /) -> None: ...


def test_a_call_ends_after_the_seconds_and_what_stands_behind_is_cancelled() -> None:
    clock, answer = Clock(), never()
    reply = Outcome(stack(Timeout(tx.Clock(clock), 1.0), to=Script(answer))(search()))
    clock.advance(0.99)
    assert reply.pending
    clock.advance(0.01)
    assert reply.error().status is Status.DEADLINE_EXCEEDED
    assert answer.called


@pytest.mark.parametrize(("given", "seen"), [(None, 12.0), (11.0, 11.0), (99.0, 15.0)])
def test_the_service_behind_sees_the_sooner_deadline(given: float | None, seen: float) -> None:
    clock, service = Clock(), Script(FOUND)
    clock.advance(10.0)
    assert Outcome(stack(Timeout(tx.Clock(clock), 5.0, usual=2.0), to=service)(search(given))).result() is FOUND
    assert service.calls[0].context.deadline == seen


def test_a_call_whose_time_is_up_is_not_made() -> None:
    clock = Clock()
    clock.advance(10.0)
    time = tx.Clock(clock)
    for each in (Timeout(time, 5.0), Deadline(time, 5.0), Attempt(time, 5.0, 3, lambda call: True)):
        service = Script()
        error = Outcome(stack(each, to=service)(search(10.0))).error()
        assert (error.status, error.processed) == (Status.DEADLINE_EXCEEDED, Processed.NOT_SENT)
        assert "/recmesh.v1.Retrieval/Search" in error.message
        assert not service.calls


def test_no_timer_is_left_behind() -> None:
    clock = Clock()
    Outcome(stack(Timeout(tx.Clock(clock), 5.0), to=Script(FOUND))(search())).result()
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(("given", "timers"), [(4.0, 0), (6.0, 1), (None, 1)])
def test_a_deadline_that_is_kept_elsewhere_needs_no_timer(given: float | None, timers: int) -> None:
    clock = Clock()
    Outcome(stack(Timeout(tx.Clock(clock), 5.0, kept=True), to=Script(never()))(search(given)))
    assert len(clock.getDelayedCalls()) == timers


@pytest.mark.parametrize(("given", "seen"), [(None, 15.0), (11.0, 11.0), (99.0, 15.0)])
def test_a_deadline_is_set_and_left_to_the_connection(given: float | None, seen: float) -> None:
    clock, service = Clock(), Script(never())
    clock.advance(10.0)
    Outcome(stack(Deadline(tx.Clock(clock), 5.0), to=service)(search(given)))
    assert service.calls[0].context.deadline == seen
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("given", "attempt", "elsewhere", "seen"),
    [
        (None, 0, True, 10.5),
        (12.0, 0, True, 10.5),
        (10.4, 0, True, 10.2),
        (10.4, 1, True, 10.2),
        (10.4, 2, True, 10.4),  # the last
        (10.4, 0, False, 10.4),
        (12.0, 0, False, 12.0),
    ],
)
def test_an_attempt_leaves_half_of_the_time_where_another_could_follow(
    given: float | None, attempt: int, elsewhere: bool, seen: float
) -> None:
    clock, service = Clock(), Script(FOUND)
    clock.advance(10.0)
    bound = Attempt(tx.Clock(clock), 0.5, 3, lambda call: elsewhere)
    Outcome(stack(bound, to=service)(search(given, attempt=attempt))).result()
    assert service.calls[0].context.deadline == pytest.approx(seen)


def test_an_attempt_that_is_never_repeated_has_all_the_time() -> None:
    service = Script(FOUND)
    bound = Attempt(tx.Clock(Clock()), 0.5, 3, lambda call: True)
    Outcome(stack(bound, to=service)(Call(UNSAFE, SearchRequest(), Context(0.8)))).result()
    assert service.calls[0].context.deadline == 0.8


@pytest.mark.parametrize("given", [None, 99.0])
def test_a_stream_lasts_as_long_as_its_caller_says(given: float | None) -> None:
    clock = Clock()
    policies: list[Filter] = [
        Timeout(tx.Clock(clock), 5.0),
        Deadline(tx.Clock(clock), 5.0),
        Attempt(tx.Clock(clock), 5.0, 3, lambda call: True),
    ]
    for each in policies:
        service, answer = Script(never()), Call(WATCH, SearchRequest(), Context(given), replies=Nowhere())
        reply = Outcome(stack(each, to=service)(answer))
        clock.advance(60.0)
        assert reply.pending and service.calls[0].context.deadline == given
        assert not clock.getDelayedCalls()
        reply.cancel()
        assert Outcome(stack(each, to=Script(ENDED))(answer)).result() is ENDED
        clock.advance(-60.0)


def test_a_deadline_shrinks_from_hop_to_hop_and_never_grows() -> None:
    clock, context = tx.Clock(Clock()), Context(deadline=2.0)
    for _ in range(3):
        service = Script(FOUND)
        before = context.deadline or 0.0
        Outcome(stack(Timeout(clock, 30.0), to=service)(search(context.child(0.0).deadline))).result()
        context = service.calls[0].context
        assert before - 0.0201 <= (context.deadline or 0.0) < before


@pytest.mark.parametrize("step", [-1.0, 1.0])
def test_d03_a_wall_clock_that_is_set_changes_no_timer(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def timers(wall: float) -> list[float]:
        monkeypatch.setattr(time, "time", lambda: wall)
        world = World([Fault(0.6)], at_last=Fault(0.2, Status.UNAVAILABLE))
        reply, rang = Outcome(world.service(world.call(READING))), []
        while world.clock.timers:
            rang.append(min(each.getTime() for each in world.clock.timers))
            wall += step
            world.clock.advance(rang[-1] - world.clock.seconds())
        assert reply.error().status is Status.UNAVAILABLE
        return rang

    assert timers(1e9) == timers(2e9) and len(timers(1e9)) == 5
