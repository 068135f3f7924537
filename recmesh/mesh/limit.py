"""Limit: how many calls a process works on at once, who is refused beyond that, and who may wait a moment."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final, Protocol

from google.protobuf.message import Message

from recmesh.mesh.criticality import SHARES, Criticality, criticality_of
from recmesh.mesh.failure import is_cancel
from recmesh.mesh.queue import Queue
from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status

EXEMPT: Final = ("/grpc.health.v1.Health/",)
"""An overloaded process is not an unhealthy one: probes are answered all the same."""

PUSHBACK_MS: Final = (50, 200)  # spread, so that the refused do not come back together

WAITING_SHARE: Final = 0.1  # of the time left, at most, is spent on waiting for a place: the rest is for the answer
WHO_WAITS: Final = (Criticality.CRITICAL_PLUS, Criticality.CRITICAL)
"""In the order they are let in. What may be shed is refused at once."""


class Size(Protocol):
    """Says how many calls there may be, and hears how they go."""

    @property
    def limit(self) -> float: ...

    def full(self) -> None:
        """A call found no place, and not only because it may be shed."""
        ...

    def ended(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None: ...

    def given_up(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None: ...


class Fixed:
    """A Size that stays as it is: for work that takes a known share of a machine."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def full(self) -> None:
        """Changes nothing, and neither do the others."""

    def ended(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None: ...

    def given_up(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None: ...


class Limit:
    """Refuses calls before a handler sees them, the least critical first, and says when to come back.

    A stream is let in like any other call and then holds no place: it lasts for hours and mostly waits, and a few of
    them would leave no room. Streams have a limit of their own, which bounds what they take of memory.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        size: Size,
        *,
        patience: float = 0.05,
        most_streams: int = 1_024,
        lag: Callable[[], float] = lambda: 0.0,
        lag_sheds_sheddable: float = 0.1,
        lag_sheds_critical: float = 0.25,
        on_refused: Callable[[str, Criticality], None] = lambda cause, rank: None,
    ) -> None:
        self.in_flight = 0
        self.streams = 0
        self.size = size
        self._clock = clock
        self._rng = rng
        self._most_streams = most_streams
        self._lag = lag
        self._lag_sheds_sheddable = lag_sheds_sheddable  # seconds
        self._lag_sheds_critical = lag_sheds_critical
        self._on_refused = on_refused
        self._queues = {rank: Queue(clock, patience) for rank in WHO_WAITS}
        self._admitting = False

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def fullness(self) -> float:
        """How much of the room is taken, those that wait included: from about 1 on, calls are refused."""
        return (self.in_flight + self.waiting) / self.size.limit

    async def __call__(self, call: Call, service: Service) -> Message:
        path = call.method.path
        if path.startswith(EXEMPT):
            return await service(call)
        rank = criticality_of(call.context)
        self._check_lag(rank)
        if call.streams:
            return await self._stream(call, service, rank)
        if self.in_flight < self.size.limit * SHARES[rank]:
            self.in_flight += 1
        else:
            await self._wait(call, rank)
        begin, among = self._clock.seconds(), self.in_flight
        given = math.inf if call.context.deadline is None else call.context.deadline - begin
        try:
            reply = await service(call)
        except BaseException as error:
            if is_cancel(error) or (isinstance(error, RpcError) and error.status is Status.DEADLINE_EXCEEDED):
                now = self._clock.seconds()
                self.size.given_up(path, now - begin, given, among, now)
            raise
        else:
            now = self._clock.seconds()
            self.size.ended(path, now - begin, given, among, now)
            return reply
        finally:
            self._leave()

    async def _stream(self, call: Call, service: Service, rank: Criticality) -> Message:
        if self.streams >= self._most_streams:
            raise self._refused("streams", rank, f"{self.streams} streams are open already")
        if self.in_flight >= self.size.limit * SHARES[rank]:
            raise self._no_place(rank)
        self.streams += 1
        try:
            return await service(call)
        finally:
            self.streams -= 1

    def _check_lag(self, rank: Criticality) -> None:
        lag = self._lag()
        if lag > self._lag_sheds_sheddable and (
            rank is Criticality.SHEDDABLE or (lag > self._lag_sheds_critical and rank is not Criticality.CRITICAL_PLUS)
        ):
            raise self._refused("lag", rank, f"this process is {1000 * lag:.0f} ms behind")

    # Waiting.

    async def _wait(self, call: Call, rank: Criticality) -> None:
        """Returns with a place, or raises."""
        queue = self._queues.get(rank)
        if queue is None:
            raise self._no_place(rank)
        self.size.full()
        waiting = queue.join(max(1.0, self.size.limit), self._time_to_wait(call))
        if waiting is None:
            raise self._no_place(rank)
        try:
            await queue.wait(waiting)
        except BaseException:
            if waiting.admitted:
                self._leave()
            raise
        if not waiting.admitted:
            raise self._no_place(rank)

    def _time_to_wait(self, call: Call) -> float:
        deadline = call.context.deadline
        return math.inf if deadline is None else (deadline - self._clock.seconds()) * WAITING_SHARE

    def _leave(self) -> None:
        self.in_flight -= 1
        if self._admitting:
            return  # whoever lets others in goes on; one that answered at once must not let in the next from below it
        self._admitting = True
        try:
            while (queue := self._who_is_next()) is not None:
                waiting = queue.next()
                if waiting is not None:
                    self.in_flight += 1
                    waiting.admitted = True
                    waiting.gate.open()
        finally:
            self._admitting = False

    def _who_is_next(self) -> Queue | None:
        for rank, queue in self._queues.items():
            if queue and self.in_flight < self.size.limit * SHARES[rank]:
                return queue
        return None

    # Refusing.

    def _no_place(self, rank: Criticality) -> RpcError:
        taken = f"{self.in_flight} calls are in flight, and no more than {self.size.limit:.0f} are taken at once"
        return self._refused("limit", rank, taken)

    def _refused(self, cause: str, rank: Criticality, message: str) -> RpcError:
        self._on_refused(cause, rank)
        return RpcError(
            Status.UNAVAILABLE,
            message,
            processed=Processed.REFUSED,
            origin=Origin.SERVER,
            pushback_ms=self._rng.randint(*PUSHBACK_MS),
        )
