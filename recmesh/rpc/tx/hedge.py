"""Work with a backup, under Twisted: what `clock.Clock.hedged` is made of."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Final, Generic, TypeAlias, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from recmesh.rpc.race import Race, race

T = TypeVar("T")


SOON: Final = 0.05  # seconds; a timer that rings sooner is left to ring, though nobody may wait any more

Entry: TypeAlias = list[Any]
"""When it is due, a number to order equals by, and the Pair; None instead once that is over."""


class Alarms:
    """Many alarms behind one timer. Most are over before they ring; a timer each would cost more than all else here."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._heap: list[Entry] = []
        self._count = 0
        self._waiting = 0
        self._timer: IDelayedCall | None = None
        self._due = 0.0

    def add(self, delay: float, pair: Pair[Any]) -> Entry:
        due = self._reactor.seconds() + delay
        self._count += 1
        self._waiting += 1
        entry = [due, self._count, pair]
        heapq.heappush(self._heap, entry)
        if self._timer is None or due < self._due:
            self._set(due, delay)
        return entry

    def drop(self, entry: Entry) -> None:
        if entry[2] is None:
            return
        entry[2] = None  # what it held is let go at once
        self._waiting -= 1
        if not self._waiting and self._timer is not None and self._due - self._reactor.seconds() > SOON:
            self._timer.cancel()
            self._timer = None
            self._heap.clear()

    def _set(self, due: float, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._reactor.callLater(max(0.0, delay), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = max(self._due, self._reactor.seconds())  # reactors ring a rounding error too early
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2] is None):
            entry = heapq.heappop(self._heap)
            pair, entry[2] = entry[2], None
            if pair is not None:
                self._waiting -= 1
                pair.begin_second()
        if self._heap and self._timer is None:
            self._set(self._heap[0][0], self._heap[0][0] - now)


class Pair(Generic[T]):
    """Work, and the second piece that may be begun beside it."""

    __slots__ = ("_backup", "_first", "_race", "_replies", "_second", "_variables", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], backup: Callable[[], Coroutine[Any, Any, T] | None]) -> None:
        self._work = work
        self._backup = backup
        self._race = Race()
        self._variables = copy_context()  # a timer rings outside of what the caller has set
        self._variables.run(race.set, self._race)
        self._replies: list[T] = []  # of the second, one at most
        self._second: Deferred[T] | None = None

    async def result(self, alarms: Alarms, delay: float) -> T:
        self._first: Deferred[T] = self._variables.run(Deferred.fromCoroutine, self._work)
        if self._first.called:
            return await self._first
        entry = alarms.add(delay, self)
        try:
            reply = await self._first
        except Exception as error:
            if self._replies:
                return self._replies[0]
            if isinstance(error, CancelledError) or self._second is None or self._second.called:
                raise
            return await self._second
        else:
            self._race.won = True
            return reply
        finally:
            alarms.drop(entry)
            if self._second is not None:
                self._second.addErrback(lambda failure: None)  # nobody asks why it lost
                self._second.cancel()

    def begin_second(self) -> None:
        work = self._variables.run(self._backup)
        if work is not None:
            self._second = self._variables.run(Deferred.fromCoroutine, work)
            self._second.addCallback(self._won)

    def _won(self, reply: T) -> T:
        self._replies.append(reply)
        self._race.won = True
        self._first.cancel()
        return reply
