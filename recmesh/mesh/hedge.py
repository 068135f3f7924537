"""Hedge: a call that takes longer than most gets a second copy, at another endpoint.

It protects callers from the one endpoint that is slow just now: a pause, a full queue, a bad disk. Dean and Barroso,
"The Tail at Scale" (2013), wait for the 95th percentile, which costs a twentieth more calls. That share is kept to by
count as well: where everything slows down at once, more copies would be the last thing to help.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import CoroutineType
from typing import Final

from google.protobuf.message import Message

from recmesh.mesh.budget import Budget
from recmesh.mesh.percentile import Percentile
from recmesh.rpc import Call, Clock, Service

CALLS_A_HEDGE: Final = 20  # 5 %
MOST_SAVED: Final = 10  # hedges that may follow each other: an endpoint that stops holds several calls


class Hedges:
    """Counts the copies sent for whoever set `tally`."""

    def __init__(self) -> None:
        self.sent = 0


tally: ContextVar[Hedges | None] = ContextVar("recmesh.mesh.hedges", default=None)


class Hedge:
    """Stands below Retry and above the balancer of one service, or one shard of it.

    Only for methods that change nothing, and only one copy a call. None while an endpoint is `refusing`, and none where
    `elsewhere` knows no endpoint that the call has not been to.
    """

    def __init__(
        self,
        clock: Clock,
        budget: Budget,
        refusing: Callable[[], bool] = lambda: False,
        elsewhere: Callable[[Call], bool] = lambda call: True,
    ) -> None:
        self.sent = 0
        self.won = 0
        self._clock = clock
        self._budget = budget
        self._refusing = refusing
        self._elsewhere = elsewhere
        self._saved = 0  # in calls: each adds one, a hedge takes CALLS_A_HEDGE
        self._durations: dict[str, Percentile] = {}

    async def __call__(self, call: Call, service: Service) -> Message:
        if not call.method.read_only or call.streams:
            return await service(call)
        path = call.method.path
        durations = self._durations.get(path) or self._durations.setdefault(path, Percentile())
        if self._saved < CALLS_A_HEDGE * MOST_SAVED:
            self._saved += 1
        begin = self._clock.seconds()
        delay = durations.value(begin)
        if delay is None or self._saved < CALLS_A_HEDGE or begin + delay >= (call.context.deadline or math.inf):
            reply = await service(call)  # nothing to prepare for
        else:
            first = service(call)
            if not isinstance(first, CoroutineType):
                first = _awaited(first)
            reply = await self._clock.hedged(
                delay, first, lambda: self._copy(call, service) if self._take(call) else None
            )
        now = self._clock.seconds()
        durations.add(now, now - begin)
        return reply

    async def _copy(self, call: Call, service: Service) -> Message:
        reply = await service(call.within(call.context.repeated(call.context.attempt, hedge=True)))
        self.won += 1
        return reply

    def _take(self, call: Call) -> bool:
        """Whether a hedge is sent. It is paid for twice: as one of few, and as an attempt beyond the first."""
        if self._saved < CALLS_A_HEDGE or self._refusing() or not (self._elsewhere(call) and self._budget.spend()):
            return False
        self._saved -= CALLS_A_HEDGE
        self.sent += 1
        counted = tally.get()
        if counted is not None:
            counted.sent += 1
        return True


async def _awaited(work: Awaitable[Message]) -> Message:
    return await work
