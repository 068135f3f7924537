"""Clock.hedged in the three worlds: a second piece of work beside a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from recmesh.rpc import aio, blocking
from recmesh.rpc.race import superseded
from recmesh.testing import Begun, FakeClock, begin

who: ContextVar[str] = ContextVar("who", default="nobody")


class Piece:
    """Work that ends when the test says so."""

    def __init__(self) -> None:
        self.begun = self.cancelled = self.superseded = False
        self.done: Deferred[str] = Deferred()
        self.caller = ""

    async def __call__(self) -> str:
        self.begun, self.caller = True, who.get()
        try:
            return await self.done
        except CancelledError:
            self.cancelled, self.superseded = True, superseded()
            raise


class Pair:
    """Two pieces of work under `hedged`, the second after a second."""

    def __init__(self) -> None:
        self.clock, self.slow, self.backup = FakeClock(), Piece(), Piece()
        self.outcome: Begun[str] = begin(self.clock.hedged(1.0, self.slow(), self.backup))


def test_work_that_ends_in_time_has_no_backup() -> None:
    pair = Pair()
    pair.clock.advance(0.9)
    pair.slow.done.callback("in time")
    assert pair.outcome.result() == "in time" and not pair.backup.begun and not pair.clock.timers


def test_work_that_ends_at_once_needs_no_timer() -> None:
    clock = FakeClock()
    assert begin(clock.hedged(1.0, value("at once"), lambda: None)).result() == "at once" and not clock.timers


def test_a_failure_before_the_backup_is_the_outcome() -> None:
    pair = Pair()
    pair.slow.done.errback(ValueError("own"))
    with pytest.raises(ValueError, match="own"):
        pair.outcome.result()
    assert not pair.backup.begun and not pair.clock.timers


@pytest.mark.parametrize("winner", ["slow", "backup"])
def test_the_first_result_counts_and_the_other_is_cancelled(winner: str) -> None:
    pair = Pair()
    pair.clock.advance(1.0)
    first, second = (pair.slow, pair.backup) if winner == "slow" else (pair.backup, pair.slow)
    first.done.callback(winner)
    assert pair.outcome.result() == winner and second.superseded and not first.cancelled


@pytest.mark.parametrize("first", ["slow", "backup"])
def test_one_failure_leaves_the_other_its_chance(first: str) -> None:
    pair = Pair()
    pair.clock.advance(1.0)
    fails, wins = (pair.slow, pair.backup) if first == "slow" else (pair.backup, pair.slow)
    fails.done.errback(ValueError("early"))
    assert not pair.outcome.done
    wins.done.callback("won")
    assert pair.outcome.result() == "won"


def test_if_both_fail_it_is_the_last_failure() -> None:
    pair = Pair()
    pair.clock.advance(1.0)
    pair.backup.done.errback(ValueError("early"))
    pair.slow.done.errback(ValueError("late"))
    with pytest.raises(ValueError, match="late"):
        pair.outcome.result()


def test_many_share_a_timer_and_each_has_its_backup_in_time() -> None:
    clock, backups = FakeClock(), [Piece() for _ in range(4)]
    outcomes = [
        begin(clock.hedged(delay, Piece()(), backup))
        for delay, backup in zip([3.0, 1.0, 2.0, 1.0], backups, strict=True)
    ]
    assert len(clock.timers) == 1
    for begun in ([False, True, False, True], [False, True, True, True], [True] * 4):
        clock.advance(1.0)
        assert [each.begun for each in backups] == begun
    assert not clock.timers
    for backup in backups:
        backup.done.callback("backup")
    assert [outcome.result() for outcome in outcomes] == ["backup"] * 4


def test_a_timer_that_rings_soon_is_left_to_ring_and_finds_nobody() -> None:
    clock, slow, backup = FakeClock(), Piece(), Piece()
    outcome = begin(clock.hedged(0.01, slow(), backup))
    slow.done.callback("in time")
    assert outcome.result() == "in time" and len(clock.timers) == 1
    clock.advance(0.01)
    assert not clock.timers and not backup.begun


def test_one_that_is_over_does_not_keep_another_from_its_backup() -> None:
    clock, slow, backup = FakeClock(), Piece(), Piece()
    begin(clock.hedged(1.0, slow(), Piece()))
    begin(clock.hedged(2.0, Piece()(), backup))
    slow.done.callback("in time")
    clock.advance(1.0)
    assert not backup.begun
    clock.advance(1.0)
    assert backup.begun


def test_a_backup_may_be_declined() -> None:
    clock, slow = FakeClock(), Piece()
    outcome = begin(clock.hedged(1.0, slow(), lambda: None))
    clock.advance(5.0)
    slow.done.callback("late")
    assert outcome.result() == "late"


@pytest.mark.parametrize("after", [0.5, 1.5])
def test_cancelled_from_outside_both_are(after: float) -> None:
    pair = Pair()
    pair.clock.advance(after)
    pair.outcome.cancel()
    with pytest.raises(CancelledError):
        pair.outcome.result()
    assert pair.slow.cancelled and pair.backup.cancelled == pair.backup.begun and not pair.clock.timers
    assert not pair.slow.superseded and not pair.backup.superseded


def test_the_backup_runs_with_the_callers_variables() -> None:
    clock, backup = FakeClock(), Piece()

    async def asking() -> str:
        who.set("caller")
        return await clock.hedged(1.0, Piece()(), backup)

    begin(asking())
    clock.advance(1.0)
    assert backup.caller == "caller"


async def value(result: str) -> str:
    return result


async def failing(message: str) -> str:
    raise ValueError(message)


def under_asyncio(work: Callable[[aio.Clock], Coroutine[Any, Any, Any]]) -> Any:
    problems: list[Any] = []

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        result = await work(aio.Clock())
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return result

    result = asyncio.run(main())
    assert not problems
    return result


def test_asyncio() -> None:
    async def work(clock: aio.Clock) -> Any:
        slow = clock.hedged(0.001, asyncio.sleep(60, "slow"), lambda: value("backup"))
        with pytest.raises(ValueError, match="early"):
            await clock.hedged(60, failing("early"), lambda: value("never begun"))
        kept = clock.hedged(0.001, asyncio.sleep(0.01, "kept"), lambda: failing("lost"))
        declined = clock.hedged(0.001, asyncio.sleep(0.01, "declined"), lambda: None)
        return [await slow, await kept, await declined]

    assert under_asyncio(work) == ["backup", "kept", "declined"]


@pytest.mark.parametrize("slow_wins", [False, True])
def test_asyncio_who_loses_learns_why(slow_wins: bool) -> None:
    learnt: list[bool] = []

    async def lose() -> str:
        try:
            return await asyncio.sleep(60, "lost")
        finally:
            learnt.append(superseded())

    async def work(clock: aio.Clock) -> str:
        if slow_wins:
            return await clock.hedged(0.001, asyncio.sleep(0.01, "won"), lose)
        return await clock.hedged(0.001, lose(), lambda: value("won"))

    assert under_asyncio(work) == "won" and learnt == [True]


def test_asyncio_cancelled_from_outside_cancels_the_work() -> None:
    async def work(clock: aio.Clock) -> None:
        task = asyncio.ensure_future(clock.hedged(60, asyncio.sleep(60, "slow"), lambda: value("backup")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    under_asyncio(work)


def test_blocking_has_no_second_piece_of_work() -> None:
    assert blocking.run(blocking.Clock().hedged(0.0, value("alone"), lambda: value("backup"))) == "alone"
