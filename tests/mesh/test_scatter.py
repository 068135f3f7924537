"""scatter."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from recmesh.mesh.scatter import Gathered, scatter
from recmesh.rpc import RpcError, Status, aio, tx
from tests.mesh.faults import READING, Fault, World, nothing_unhandled
from tests.mesh.kit import LOST, Outcome, never

__all__ = ["nothing_unhandled"]


async def answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return await value if isinstance(value, Deferred | Coroutine) else value


def gather(clock: Clock, *values: Any, deadline: float | None = None) -> Outcome[Gathered[Any]]:
    return Outcome(scatter(tx.Clock(clock), [answer(value) for value in values], deadline, quorum=0))


def test_every_shard_has_its_outcome() -> None:
    slow = never()
    work = gather(Clock(), slow, LOST, "b")
    assert work.pending
    slow.callback("a")
    gathered = work.result()
    assert (gathered.total, gathered.answered) == (3, 2)
    assert list(gathered.answers.items()) == [(0, "a"), (2, "b")]
    assert gathered.failures == {1: LOST}


def test_all_are_asked_before_any_answers() -> None:
    pending = [never() for _ in range(3)]
    work = gather(Clock(), *pending)
    for each in reversed(pending):
        assert work.pending
        each.callback(1)
    assert work.result().answered == 3


def test_after_the_soft_deadline_the_answers_at_hand_are_taken() -> None:
    clock, slow = Clock(), never()
    work = gather(clock, slow, "b", deadline=1.0)
    clock.advance(0.79)
    assert work.pending
    clock.advance(0.01)
    gathered = work.result()
    assert slow.called  # cancelled
    assert dict(gathered.answers) == {1: "b"}
    assert gathered.failures[0].status is Status.DEADLINE_EXCEEDED
    assert "0.800 s" in gathered.failures[0].message
    assert not clock.getDelayedCalls()


def test_without_an_answer_at_the_soft_deadline_the_first_one_is_waited_for() -> None:
    clock, first, second = Clock(), never(), never()
    work = gather(clock, first, second, deadline=1.0)
    clock.advance(0.9)
    assert work.pending
    second.callback("b")
    assert dict(work.result().answers) == {1: "b"}
    assert first.called


def test_at_the_deadline_it_ends_without_any_answer() -> None:
    clock, silent = Clock(), never()
    work = gather(clock, LOST, silent, deadline=1.0)
    clock.advance(0.8)
    clock.advance(0.2)
    gathered = work.result()
    assert gathered.answered == 0 and silent.called
    assert [error.status for error in gathered.failures.values()] == [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED]


def test_when_all_failed_it_does_not_wait_for_the_deadline() -> None:
    clock = Clock()
    assert gather(clock, LOST, LOST, deadline=1.0).result().failures == {0: LOST, 1: LOST}
    assert not clock.getDelayedCalls()


def test_a_cancelled_caller_cancels_all_children() -> None:
    pending = [never() for _ in range(3)]
    clock = Clock()
    work = gather(clock, *pending, deadline=1.0)
    work.cancel()
    assert all(each.called for each in pending)
    with pytest.raises(CancelledError):
        work.result()
    assert not clock.getDelayedCalls()


def test_a_fault_of_this_program_is_not_taken_for_a_shard_that_is_away() -> None:
    with pytest.raises(KeyError):
        gather(Clock(), "a", KeyError("x")).result()


def test_nothing_to_ask() -> None:
    assert gather(Clock(), deadline=1.0).result() == Gathered(0, {}, {})


def test_the_same_under_asyncio() -> None:
    async def main() -> Gathered[Any]:
        clock = aio.Clock()
        questions = [answer(asyncio.Event().wait()), answer("b"), answer(LOST)]
        return await scatter(clock, questions, clock.seconds() + 0.01, quorum=0)

    gathered = asyncio.run(main())
    assert dict(gathered.answers) == {1: "b"}
    assert isinstance(gathered.failures[0], RpcError) and gathered.failures[2] is LOST


def ask_four(clock: Clock, *values: Any, deadline: float | None = 1.0) -> Outcome[Gathered[Any]]:
    return Outcome(scatter(tx.Clock(clock), [answer(value) for value in values], deadline))


@pytest.mark.usefixtures("nothing_unhandled")
def test_s01_a_shard_that_hangs_costs_its_part_of_the_answer_and_no_more_than_the_soft_deadline() -> None:
    clock, hanging = Clock(), never()
    work = ask_four(clock, "a", "b", hanging, "d")
    clock.advance(0.79)
    assert work.pending
    clock.advance(0.01)
    gathered = work.result()
    assert (gathered.total, gathered.answered, gathered.hedged) == (4, 3, 0)
    assert list(gathered.answers.values()) == ["a", "b", "d"]
    assert {shard: error.status for shard, error in gathered.failures.items()} == {2: Status.DEADLINE_EXCEEDED}
    assert hanging.called and not clock.getDelayedCalls()


def test_s01_a_shard_that_fails_costs_no_time() -> None:
    clock = Clock()
    gathered = ask_four(clock, "a", LOST, "c", "d").result()
    assert gathered.answered == 3 and gathered.failures == {1: LOST}
    assert not clock.getDelayedCalls()


@pytest.mark.usefixtures("nothing_unhandled")
def test_s02_when_too_few_can_answer_it_fails_at_once_and_names_the_shards() -> None:
    clock, slow = Clock(), never()
    error = ask_four(clock, "a", LOST, slow, LOST).error()
    assert (error.status, error.pushback_ms) == (Status.UNAVAILABLE, -1)
    assert error.message.startswith("1 of 4 shards answered, and 3 are needed: shard 1: UNAVAILABLE: connection lost; ")
    assert "shard 2" in error.message and "shard 3" in error.message
    assert slow.called and not clock.getDelayedCalls()


def test_s02_too_few_by_the_deadline() -> None:
    clock, silent = Clock(), [never(), never()]
    work = ask_four(clock, "a", "b", *silent)
    clock.advance(0.8)
    assert work.pending  # a third answer would do
    clock.advance(0.2)
    assert work.error().status is Status.UNAVAILABLE
    assert all(each.called for each in silent)


def test_a_late_third_answer_makes_the_quorum() -> None:
    clock, late, silent = Clock(), never(), never()
    work = ask_four(clock, "a", "b", late, silent)
    clock.advance(0.9)
    late.callback("c")
    assert list(work.result().answers.values()) == ["a", "b", "c"] and silent.called


def test_copies_of_slow_questions_are_counted() -> None:
    world = World()
    for _ in range(100):
        Outcome(world.service(world.call(READING)))
    world.schedule = iter([Fault(0.3)])
    questions = [answer(world.service(world.call(READING))) for _ in range(2)]
    work = Outcome(scatter(world.clock, questions, 2.0))
    world.run_out()
    assert work.result().answered == 2 and work.result().hedged == 1
