"""Breaker: how much one upstream service may hold of its caller.

It protects the caller from a service that has become slow: without a bound, calls to it pile up until the process has
no memory or no time for the services that are well. The bounds are Envoy's max_requests (1,024) and a quarter of that
in the queue, which only has to bridge a burst.
"""

from __future__ import annotations

import heapq
import math
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status
from recmesh.rpc.clock import Gate

FOREVER: Final = 3600.0  # seconds that a call without a deadline waits at most


class Breaker:
    """Lets `most_in_flight` calls pass at once; `most_queued` more wait, of whom the soonest deadline is next.

    A call beyond that fails at once. Streams are counted apart, up to the same number, and never wait: those that last
    for hours would take the places of calls that last milliseconds.
    """

    def __init__(self, clock: Clock, most_in_flight: int = 1_024, most_queued: int = 256) -> None:
        self.in_flight = 0
        self.streams = 0
        self.rejected = 0
        self._clock = clock
        self._most_in_flight = most_in_flight
        self._most_queued = most_queued
        self._queue: list[tuple[float, int, Gate]] = []  # a heap: by deadline, then in the order they came
        self._tickets = 0

    @property
    def queued(self) -> int:
        return len(self._queue)

    async def __call__(self, call: Call, service: Service) -> Message:
        if call.streams:
            return await self._stream(call, service)
        if self.in_flight < self._most_in_flight:
            self.in_flight += 1
        else:
            await self._wait(call)
        try:
            return await service(call)
        finally:
            self._leave()

    async def _stream(self, call: Call, service: Service) -> Message:
        if self.streams >= self._most_in_flight:
            raise self._full(call, f"{self.streams} streams are open")
        self.streams += 1
        try:
            return await service(call)
        finally:
            self.streams -= 1

    def _leave(self) -> None:
        """Hands the place to whoever is next; it stays taken meanwhile."""
        if self._queue:
            heapq.heappop(self._queue)[2].open()
        else:
            self.in_flight -= 1

    async def _wait(self, call: Call) -> None:
        if len(self._queue) >= self._most_queued:
            raise self._full(call, f"{self.in_flight} calls are in flight and {self.queued} wait")
        deadline = math.inf if call.context.deadline is None else call.context.deadline
        self._tickets += 1
        waiting = (deadline, self._tickets, self._clock.gate())
        heapq.heappush(self._queue, waiting)
        try:
            await self._clock.within(min(FOREVER, deadline - self._clock.seconds()), _passed(waiting[2]))
        except BaseException as error:
            self._give_up(waiting)
            if isinstance(error, RpcError):
                raise self._late(call) from None
            raise

    def _give_up(self, waiting: tuple[float, int, Gate]) -> None:
        if waiting in self._queue:
            self._queue.remove(waiting)
            heapq.heapify(self._queue)
        else:  # it was given a place in the moment it left
            self._leave()

    def _full(self, call: Call, how: str) -> RpcError:
        self.rejected += 1
        message = f"{call.method.path} was not sent: {how}, and no more are let through to this service at once"
        return RpcError(Status.UNAVAILABLE, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)

    def _late(self, call: Call) -> RpcError:
        message = f"{call.method.path} was not sent: its time passed while {self.in_flight} other calls were in flight"
        return RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)


async def _passed(gate: Gate) -> None:
    await gate
