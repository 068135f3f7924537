"""Reactor: virtual time that jumps from event to event, for millions of them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from txaio import tx
from zope.interface import implementer


@implementer(IDelayedCall)
class Later:
    """A function that is called at its time, unless it is cancelled before."""

    __slots__ = ("_arguments", "_due", "_entry", "_reactor", "_what", "cancelled")

    def __init__(self, reactor: Reactor, due: float, what: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._reactor = reactor
        self._due = due
        self._what: Callable[..., object] | None = what
        self._arguments = arguments
        self._entry = 0  # of those in the heap, the one that counts
        self.cancelled = False

    def getTime(self) -> float:
        return self._due

    def active(self) -> bool:
        return self._what is not None

    def cancel(self) -> None:
        self._check()
        self._what, self._arguments = None, ()  # what it held is let go at once
        self.cancelled = True

    def delay(self, seconds: float) -> None:
        self._move(self._due + seconds)

    def reset(self, seconds: float) -> None:
        self._move(self._reactor.seconds() + seconds)

    def _move(self, due: float) -> None:
        self._check()
        self._due = due
        self._entry = self._reactor.push(due, self)

    def _check(self) -> None:
        if self._what is None:
            raise AlreadyCancelled if self.cancelled else AlreadyCalled

    def ring(self, entry: int) -> None:
        what, arguments = self._what, self._arguments
        if what is not None and entry >= self._entry:
            self._what, self._arguments = None, ()
            what(*arguments)


@implementer(IReactorTime)
class Reactor:
    """As task.Clock, in time that grows with the logarithm of the timers. Is a recmesh.rpc.connection.base.Loop too."""

    def __init__(self) -> None:
        self.futures: ModuleType = tx
        self.future: Callable[[], Any] = Deferred
        self.tasks = False
        self._now = 0.0
        self._heap: list[tuple[float, int, Later]] = []  # equals in the order they were set
        self._entries = 0

    def seconds(self) -> float:
        return self._now

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> Later:  # noqa: A002 - Twisted's names
        assert not kw, "nothing here takes keywords"
        assert delay >= 0, f"a timer {-delay:g} s in the past"
        due = self._now + delay
        later = Later(self, due, callable, args)
        self.push(due, later)
        return later

    def call_later(self, delay: float, what: Callable[[], object]) -> Later:
        return self.callLater(delay, what)

    def settle(self, future: Any, result: object) -> None:
        if not future.called:
            future.callback(result)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        return list({id(later): later for _, _, later in self._heap if later.active()}.values())

    def push(self, due: float, later: Later) -> int:
        self._entries += 1
        heapq.heappush(self._heap, (due, self._entries, later))
        return self._entries

    def run(self, until: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= until:
            due, entry, later = heapq.heappop(heap)
            if due > self._now:
                self._now = due
            later.ring(entry)
        self._now = max(self._now, until)

    def spend(self, seconds: float) -> None:
        """Whoever runs takes so long: time passes, and what falls due meanwhile is late."""
        self._now += seconds
