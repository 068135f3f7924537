"""Limit: who is let in, who waits, who is refused."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.mesh.criticality import Criticality
from recmesh.mesh.limit import Fixed, Limit
from recmesh.rpc import Call, Context, Processed, RpcError, Service, Status, stack
from recmesh.testing import FakeClock
from recmesh.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from recmesh.v1.health_rpc import HEALTH_CHECK
from tests.mesh.kit import FOUND, LOST, Outcome, Script, never, search

PLUS, CRITICAL, SHEDDABLE_PLUS, SHEDDABLE = Criticality


class Door:
    """A limit before a service whose calls all wait until the test answers them."""

    def __init__(self, limit: float, service: Service | None = None, **settings: Any) -> None:
        self.clock = FakeClock()
        self.refused: list[tuple[str, Criticality]] = []
        self.running: list[Deferred[Message]] = []
        self.limit = Limit(
            self.clock,
            random.Random(1),
            Fixed(limit),
            on_refused=lambda cause, rank: self.refused.append((cause, rank)),
            **settings,
        )
        self.enter = stack(self.limit, to=service or self._handle)

    async def _handle(self, call: Call) -> Message:
        self.running.append(never())
        return await self.running[-1]

    def ask(self, rank: int = CRITICAL, **context: Any) -> Outcome[Message]:
        return Outcome(self.enter(search(criticality=rank, **context)))

    def answer(self, place: int = 0) -> None:
        self.running.pop(place).callback(FOUND)


def test_calls_beyond_the_limit_are_refused_before_the_handler_and_told_when_to_come_back() -> None:
    door = Door(2)
    for _ in range(2):
        door.ask()
    error = door.ask(SHEDDABLE).error()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.REFUSED)
    assert error.pushback_ms is not None and 50 <= error.pushback_ms <= 200
    assert "no more than 2" in error.message
    assert len(door.running) == 2 and door.refused == [("limit", SHEDDABLE)]


@pytest.mark.parametrize(
    ("rank", "places"), [(PLUS, 20), (CRITICAL, 19), (SHEDDABLE_PLUS, 16), (SHEDDABLE, 10), (0, 19)]
)
def test_each_class_has_its_share_of_the_limit(rank: int, places: int) -> None:
    door = Door(20)
    for _ in range(30):
        door.ask(rank)
    assert door.limit.in_flight == places


def test_a_retry_has_the_share_of_the_class_below() -> None:
    door = Door(20)
    for _ in range(30):
        door.ask(CRITICAL, attempt=1)
    assert door.limit.in_flight == 16


def test_a_place_that_becomes_free_goes_to_who_waits() -> None:
    door = Door(1)
    door.ask()
    waiting = door.ask()
    assert waiting.pending and door.limit.waiting == 1
    door.answer()
    assert len(door.running) == 1 and door.limit.waiting == 0 and door.limit.in_flight == 1
    door.answer()
    assert waiting.result() is FOUND and door.limit.in_flight == 0
    assert not door.clock.timers


def test_who_matters_most_is_let_in_first() -> None:
    door = Door(1)
    door.ask()
    critical, plus = door.ask(CRITICAL), door.ask(PLUS)
    door.answer()
    door.answer()
    assert plus.result() is FOUND and critical.pending


def test_waiting_ends_with_a_refusal() -> None:
    door = Door(1)
    door.ask()
    waiting, hurried = door.ask(), door.ask(deadline=0.1)
    door.clock.advance(0.011)
    assert hurried.error().processed is Processed.REFUSED and waiting.pending
    door.clock.advance(0.04)
    assert waiting.error().pushback_ms is not None
    assert len(door.running) == 1 and not door.clock.timers
    assert door.refused == [("limit", CRITICAL)] * 2


def test_no_more_wait_than_are_worked_on() -> None:
    door = Door(4)
    asked = [door.ask(PLUS) for _ in range(9)]
    assert [each.pending for each in asked] == [True] * 8 + [False]
    assert asked[-1].error().status is Status.UNAVAILABLE


def test_who_waits_and_is_cancelled_takes_no_place() -> None:
    door = Door(1)
    door.ask()
    door.ask().cancel()
    assert door.limit.waiting == 0 and not door.clock.timers
    door.answer()
    assert door.limit.in_flight == 0


def test_many_who_wait_for_handlers_that_answer_at_once_are_let_in_one_after_the_other() -> None:
    """And not each from within the one before: the stack would overflow."""
    first = never()
    others = [never() for _ in range(398)]
    door = Door(400, Script(*others, first, *[FOUND] * 400), patience=9.0)
    running = [door.ask(PLUS) for _ in range(400)]
    assert running[-1].result() is FOUND and door.limit.in_flight == 399
    door.limit.size.limit = 399  # type: ignore[misc]
    waiting = [door.ask(PLUS) for _ in range(399)]
    assert all(each.pending for each in waiting)
    first.callback(FOUND)
    assert all(each.result() is FOUND for each in waiting)
    assert door.limit.in_flight == 398 and door.limit.waiting == 0


def test_a_call_that_fails_or_is_cancelled_gives_its_place_back() -> None:
    door = Door(1, Script(LOST, never()))
    door.ask().error()
    door.ask().cancel()
    assert door.limit.in_flight == 0


def test_a_place_is_kept_until_the_handler_really_ends() -> None:
    stubborn = never()

    async def handler(call: Call) -> HealthCheckResponse:
        try:
            await never()
        finally:
            await stubborn
        return HealthCheckResponse()

    door = Door(1, handler)
    door.ask().cancel()
    assert door.limit.in_flight == 1
    stubborn.callback(None)
    assert door.limit.in_flight == 0


def test_health_is_answered_at_the_limit_and_far_behind() -> None:
    door = Door(0, Script(HealthCheckResponse()), lag=lambda: 9.0)
    assert Outcome(door.enter(Call(HEALTH_CHECK, HealthCheckRequest()))).result() == HealthCheckResponse()


@pytest.mark.parametrize(
    ("lag", "let_in"),
    [
        (0.09, [PLUS, CRITICAL, SHEDDABLE_PLUS, SHEDDABLE]),
        (0.11, [PLUS, CRITICAL, SHEDDABLE_PLUS]),
        (0.24, [PLUS, CRITICAL, SHEDDABLE_PLUS]),
        (0.26, [PLUS]),
    ],
)
def test_a_process_that_is_behind_refuses_the_least_critical(lag: float, let_in: list[Criticality]) -> None:
    door = Door(20, lag=lambda: lag)
    assert [rank for rank in Criticality if door.ask(rank).pending] == let_in
    assert {cause for cause, _ in door.refused} <= {"lag"}


class Replies:
    """Where a stream's replies go."""

    sent = 0

    async def send(self, message: Message, /) -> None:
        raise NotImplementedError


async def _requests() -> AsyncIterator[Message]:
    return
    yield FOUND


def stream(rank: int = CRITICAL) -> Call:
    call = search(criticality=rank)
    call.replies = Replies()
    return call


def test_a_stream_is_let_in_like_a_call_and_then_holds_no_place() -> None:
    door = Door(2)
    streams = [Outcome(door.enter(stream())) for _ in range(5)]
    assert (door.limit.streams, door.limit.in_flight) == (5, 0)
    calls = [door.ask() for _ in range(2)]
    assert all(each.pending for each in calls)
    assert Outcome(door.enter(stream())).error().processed is Processed.REFUSED
    streams[0].cancel()
    assert door.limit.streams == 4


def test_streams_have_a_limit_of_their_own() -> None:
    door = Door(2, most_streams=1)
    Outcome(door.enter(stream()))
    error = Outcome(door.enter(stream())).error()
    assert "1 streams are open" in error.message and door.refused == [("streams", CRITICAL)]
    asks = Call(search().method, FOUND, Context(), requests=_requests())
    assert Outcome(door.enter(asks)).error().status is Status.UNAVAILABLE


class Heard(Fixed):
    """Keeps what a size is told."""

    def __init__(self) -> None:
        super().__init__(2)
        self.heard: list[tuple[str, float, int]] = []

    def full(self) -> None:
        self.heard.append(("full", 0.0, 0))

    def ended(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None:
        self.heard.append(("ended", seconds, in_flight))

    def given_up(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None:
        self.heard.append(("given up", seconds, in_flight))


def test_the_size_hears_of_answers_of_what_was_given_up_and_of_no_other_failure() -> None:
    door, answers = Door(2), [never() for _ in range(4)]
    door.limit.size = size = Heard()
    door.enter = stack(door.limit, to=Script(*answers))
    asked = [door.ask(), door.ask()]
    door.clock.advance(0.25)
    answers[0].callback(FOUND)
    answers[1].errback(LOST)
    timed_out = door.ask()
    asked.append(door.ask())
    door.ask(SHEDDABLE).error()
    door.clock.advance(0.5)
    answers[2].errback(RpcError(Status.DEADLINE_EXCEEDED))
    asked[-1].cancel()
    assert timed_out.error().status is Status.DEADLINE_EXCEEDED
    assert size.heard == [("ended", 0.25, 1), ("given up", 0.5, 1), ("given up", 0.5, 2)]


def test_the_size_hears_of_a_want_of_places_where_it_is_not_only_for_what_may_be_shed() -> None:
    door = Door(2)
    door.limit.size = size = Heard()
    for _ in range(2):
        door.ask()
    door.ask(SHEDDABLE).error()
    door.ask(attempt=1).error()
    assert size.heard == []
    door.ask()
    assert size.heard == [("full", 0.0, 0)]
