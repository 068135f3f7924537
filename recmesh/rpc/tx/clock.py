"""A reactor as the Clock that policies wait on."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from recmesh.rpc.status import Origin, Processed, RpcError, Status
from recmesh.rpc.tx.hedge import Alarms, Pair

T = TypeVar("T")


class Gate:
    """A recmesh.rpc.clock.Gate."""

    def __init__(self) -> None:
        self._opened: Deferred[None] = Deferred()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._opened.__await__()

    def open(self) -> None:
        if not self._opened.called:
            self._opened.callback(None)


def use_monotonic_clock(reactor: Any) -> None:
    """Makes a reactor's time monotonic: the wall clock is set back and forth, and timers must not follow it.

    To be called before anything asks for the time or sets a timer.
    """
    reactor.seconds = time.monotonic


class Clock:
    """A reactor, or in tests a task.Clock, as a recmesh.rpc.Clock."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._alarms = Alarms(reactor)
        self.seconds: Callable[[], float] = reactor.seconds  # asked several times a call

    def sleep(self, delay: float) -> Awaitable[None]:
        return deferLater(self._reactor, delay)

    def gate(self) -> Gate:
        return Gate()

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        working = Deferred.fromCoroutine(work)
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            working.cancel()

        timer = self._reactor.callLater(max(0.0, delay), expire)
        try:
            return await working
        except CancelledError:
            if not expired:
                raise
            message = f"no answer within {delay:.3g} s"
            raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT) from None
        finally:
            if timer.active():
                timer.cancel()

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        running = [Deferred.fromCoroutine(each) for each in work]
        failures: list[Failure] = []
        won: Deferred[T] = Deferred(lambda _: _cancel(running))

        def succeeded(result: T) -> None:
            if not won.called:
                won.callback(result)

        def failed(failure: Failure) -> None:
            failures.append(failure)
            if len(failures) == len(running) and not won.called:
                won.errback(failure)

        for each in running:
            each.addCallbacks(succeeded, failed)
        try:
            return await won
        finally:
            _cancel(running)

    def hedged(
        self, delay: float, work: Coroutine[Any, Any, T], backup: Callable[[], Coroutine[Any, Any, T] | None]
    ) -> Coroutine[Any, Any, T]:
        return Pair(work, backup).result(self._alarms, delay)

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        running = [Deferred.fromCoroutine(each) for each in work]
        outcomes: list[Any] = [None] * len(running)
        left = len(running)

        def cancel(done: Deferred[None]) -> None:
            nonlocal left
            left = -1  # what ends because of this settles nothing
            _cancel(running)

        def settle(outcome: T | Failure, place: int) -> None:
            nonlocal left
            outcomes[place] = outcome.value if isinstance(outcome, Failure) else outcome
            left -= 1
            if not left and not done.called:
                done.callback(None)

        done: Deferred[None] = Deferred(cancel)
        for place, each in enumerate(running):
            each.addBoth(settle, place)
        if left:
            await done
        return outcomes


def _cancel(running: Sequence[Deferred[Any]]) -> None:
    for each in running:
        each.cancel()
