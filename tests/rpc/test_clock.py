"""The clocks of the three worlds do the same: sleep, gate, within, first, settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from recmesh.rpc import Clock, RpcError, Status, aio, blocking
from recmesh.rpc.clock import Gate
from recmesh.testing import FakeClock, begin


class Waiting:
    """Something to wait for under Twisted."""

    def __init__(self) -> None:
        self.opened: Deferred[str] = Deferred()
        self.ended = ""

    async def passed(self) -> str:
        try:
            self.ended = await self.opened
        except BaseException as error:
            self.ended = type(error).__name__
            raise
        return self.ended


async def value(result: str) -> str:
    return result


async def failing(message: str) -> str:
    raise ValueError(message)


# Twisted, on a clock the test moves.


def test_sleep_takes_its_time() -> None:
    clock = FakeClock()

    async def nap() -> float:
        await clock.sleep(2.0)
        return clock.seconds()

    napping = begin(nap())
    clock.advance(1.9)
    assert not napping.done
    clock.advance(0.1)
    assert napping.result() == pytest.approx(2.0)


def test_within_gives_the_result_and_leaves_no_timer() -> None:
    clock, gate = FakeClock(), Waiting()
    waiting = begin(clock.within(1.0, gate.passed()))
    clock.advance(0.9)
    gate.opened.callback("in time")
    assert waiting.result() == "in time" and not clock.timers


def test_within_cancels_what_takes_too_long() -> None:
    clock, gate = FakeClock(), Waiting()
    waiting = begin(clock.within(1.0, gate.passed()))
    clock.advance(1.0)
    with pytest.raises(RpcError, match="no answer within 1 s") as caught:
        waiting.result()
    assert caught.value.status == Status.DEADLINE_EXCEEDED and gate.ended == "CancelledError" and not clock.timers


def test_within_cancelled_from_outside_is_no_deadline() -> None:
    clock, gate = FakeClock(), Waiting()
    waiting = begin(clock.within(1.0, gate.passed()))
    waiting.cancel()
    with pytest.raises(CancelledError):
        waiting.result()
    assert gate.ended == "CancelledError" and not clock.timers


def test_within_lets_an_error_through() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="own"):
        begin(clock.within(1.0, failing("own"))).result()
    assert not clock.timers


def test_first_takes_the_first_result_and_cancels_the_rest() -> None:
    clock, slow, fast = FakeClock(), Waiting(), Waiting()
    racing = begin(clock.first(slow.passed(), failing("lost"), fast.passed()))
    assert not racing.done
    fast.opened.callback("won")
    assert racing.result() == "won" and slow.ended == "CancelledError"


def test_first_of_only_failures_is_the_last_of_them() -> None:
    clock, gate = FakeClock(), Waiting()
    racing = begin(clock.first(gate.passed(), failing("early")))
    gate.opened.errback(ValueError("late"))
    with pytest.raises(ValueError, match="late"):
        racing.result()


def test_first_cancelled_from_outside_cancels_all() -> None:
    clock, gates = FakeClock(), [Waiting(), Waiting()]
    racing = begin(clock.first(*(gate.passed() for gate in gates)))
    racing.cancel()
    assert racing.done and [gate.ended for gate in gates] == ["CancelledError"] * 2


def test_settled_has_every_outcome_in_order() -> None:
    clock, gate = FakeClock(), Waiting()
    settling = begin(clock.settled(gate.passed(), failing("no"), value("at once")))
    assert not settling.done
    gate.opened.callback("at last")
    outcomes = settling.result()
    assert [str(each) for each in outcomes] == ["at last", "no", "at once"] and isinstance(outcomes[1], ValueError)


def test_settled_of_nothing_is_nothing() -> None:
    assert begin(FakeClock().settled()).result() == []


def test_settled_cancelled_from_outside_cancels_all() -> None:
    clock, gates = FakeClock(), [Waiting(), Waiting()]
    settling = begin(clock.settled(*(gate.passed() for gate in gates)))
    settling.cancel()
    with pytest.raises(CancelledError):
        settling.result()
    assert [gate.ended for gate in gates] == ["CancelledError"] * 2


# asyncio.


def test_a_gate_holds_one_coroutine_until_it_is_opened() -> None:
    clock = FakeClock()
    gate = clock.gate()
    waiting = begin(clock.settled(_through(gate)))
    assert not waiting.done
    gate.open()
    gate.open()
    assert waiting.result() == ["through"]


def test_a_gate_opened_before_anybody_waits_holds_nobody() -> None:
    gate = FakeClock().gate()
    gate.open()
    assert begin(_through(gate)).result() == "through"


def test_a_gate_may_be_opened_after_the_waiting_one_was_cancelled() -> None:
    clock = FakeClock()
    gate = clock.gate()
    waiting = begin(clock.within(1.0, _through(gate)))
    clock.advance(1.0)
    with pytest.raises(RpcError):
        waiting.result()
    gate.open()
    assert not clock.timers


async def _through(gate: Gate) -> str:
    await gate
    return "through"


def under_asyncio(work: Callable[[aio.Clock], Coroutine[Any, Any, Any]]) -> Any:
    problems: list[Any] = []

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        return await work(aio.Clock())

    result = asyncio.run(main())
    assert not problems
    return result


def test_asyncio_within() -> None:
    async def work(clock: aio.Clock) -> Any:
        with pytest.raises(RpcError, match=r"no answer within 0.01 s") as caught:
            await clock.within(0.01, asyncio.sleep(60, "late"))
        return await clock.within(60, asyncio.sleep(0, "in time")), caught.value.status

    assert under_asyncio(work) == ("in time", Status.DEADLINE_EXCEEDED)


def test_asyncio_within_lets_a_timeout_of_its_own_through() -> None:
    async def own() -> None:
        raise TimeoutError("own")

    async def work(clock: aio.Clock) -> None:
        with pytest.raises(TimeoutError, match="own"):
            await clock.within(60, own())

    under_asyncio(work)


def test_asyncio_first() -> None:
    async def work(clock: aio.Clock) -> Any:
        won = await clock.first(asyncio.sleep(60, "slow"), failing("lost"), asyncio.sleep(0, "won"))
        with pytest.raises(ValueError, match="late"):
            await clock.first(failing("early"), clock.first(failing("late")))
        await asyncio.sleep(0)
        return won, len(asyncio.all_tasks())

    assert under_asyncio(work) == ("won", 1)


def test_asyncio_gate() -> None:
    async def work(clock: aio.Clock) -> tuple[list[Any], bool]:
        gate, forgotten = clock.gate(), clock.gate()

        async def opens() -> None:
            gate.open()
            gate.open()

        outcomes = await clock.settled(_through(gate), opens())
        with pytest.raises(RpcError):
            await clock.within(0.0, _through(forgotten))
        forgotten.open()
        return outcomes, True

    assert under_asyncio(work) == (["through", None], True)


def test_asyncio_settled() -> None:
    async def work(clock: aio.Clock) -> Any:
        await clock.sleep(0)
        before = clock.seconds()
        outcomes = await clock.settled(asyncio.sleep(0, "a"), failing("no"))
        return [str(each) for each in outcomes], clock.seconds() >= before

    assert under_asyncio(work) == (["a", "no"], True)


# No loop at all.


def test_blocking_does_one_after_the_other() -> None:
    clock: Clock = blocking.Clock()
    order: list[str] = []

    async def noted(result: str) -> str:
        order.append(result)
        return await value(result)

    async def work() -> Any:
        before = clock.seconds()
        await clock.sleep(0)
        within = await clock.within(1.0, noted("within"))
        first = await clock.first(failing("lost"), noted("first"), noted("never begun"))
        with pytest.raises(ValueError, match="late"):
            await clock.first(failing("early"), failing("late"))
        settled = await clock.settled(noted("x"), failing("no"), noted("y"))
        return within, first, [str(each) for each in settled], clock.seconds() >= before

    assert blocking.run(work()) == ("within", "first", ["x", "no", "y"], True)
    assert order == ["within", "first", "x", "y"]


def test_blocking_has_nobody_to_open_a_gate() -> None:
    with pytest.raises(RuntimeError, match="nobody"):
        blocking.Clock().gate()


def test_blocking_run_lets_errors_through() -> None:
    with pytest.raises(ValueError, match="own"):
        blocking.run(failing("own"))
