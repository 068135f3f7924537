"""Replica: one endpoint as its caller sees it, by what its attempts came to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from google.protobuf.message import Message

from recmesh.mesh.ejection import Health
from recmesh.mesh.failure import endpoint_failed, endpoint_refused, is_cancel
from recmesh.mesh.latency import PeakEwma
from recmesh.mesh.rendezvous import digest
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Call, Processed, RpcError, Service, Status

REACHABLE: Final = frozenset({"idle", "ready"})
"""States in which a call has no connection to wait for; an idle endpoint connects at its first call."""

FAILURE_COSTS: Final = 1.0  # seconds at least: one that fails at once would seem the fastest, and draw all calls
REFUSAL_COSTS: Final = 0.250  # seconds at least; it is alive, and comes back sooner

FAIR: Final = 0.1  # seconds; a caller who leaves an endpoint less than that finds out nothing about it

SLOW_START: Final = 30.0  # seconds: caches fill and code warms up
SLOW_START_LEAST: Final = 0.1  # of its calls at the beginning, so that there are some to warm up with

NO_TIME: Final = 1e-6  # seconds, far below any real answer: with no latency known, the calls in flight decide


class Endpoint(Protocol):
    """What leads to one process, for example `recmesh.rpc.tx.Endpoint`."""

    @property
    def state(self) -> str:
        """One of "idle", "connecting", "ready", "draining", "backing off"."""
        ...

    def __call__(self, call: Call) -> Awaitable[Message]: ...


class Watcher(Protocol):
    """Whom a replica tells what happens to it, and asks how the others do."""

    def changed(self, replica: Replica, state: str, cause: str) -> None: ...

    def refused(self, seconds: float) -> None: ...

    def usual_latency(self, now: float) -> float:
        """Seconds; 0 where none is known."""
        ...


class Nobody:
    """A Watcher for a replica that stands alone."""

    def changed(self, replica: Replica, state: str, cause: str) -> None: ...

    def refused(self, seconds: float) -> None: ...

    def usual_latency(self, now: float) -> float:
        return 0.0


class Replica:
    """Counts the attempts at one endpoint, and takes from their outcomes what it costs and how it is. Is a Service."""

    def __init__(
        self,
        where: EndpointAddress,
        endpoint: Endpoint,
        service: Service,
        health: Health,
        seconds: Callable[[], float],
        watcher: Watcher | None = None,
        *,
        joins: bool = False,
    ) -> None:
        """`joins`: others were there before, and it starts slowly."""
        now = seconds()
        self.where = where
        self.digest = digest(where.id)  # for rendezvous hashing
        self.endpoint = endpoint
        self.health = health
        self.latency = PeakEwma(now)
        self.in_flight = 0
        self.calls = 0
        self.failures = 0
        self.last_error = ""
        self.failed_at = 0.0  # when that was, by `seconds`
        self.away = False  # it was found without a connection, or told not to be called
        self.answered = False  # ever: before that, connecting is no change
        self._service = service
        self._seconds = seconds
        self._watcher = watcher or Nobody()
        self.warm_from = now  # when slow start ends
        self._emptied: Callable[[], None] | None = None
        if joins:
            self.warm_up(now)

    @property
    def state(self) -> str:
        return self.endpoint.state

    @property
    def available(self) -> bool:
        return self.endpoint.state in REACHABLE and self.where.ready

    def cost(self, now: float) -> float:
        """What one more call here is expected to cost its caller."""
        return (self.latency.value(now) + NO_TIME) * (self.in_flight + 1) / self.where.weight

    def warmth(self, now: float) -> float:
        """The share of its usual calls it is ready for; below 1 in slow start."""
        return max(SLOW_START_LEAST, 1.0 - max(0.0, self.warm_from - now) / SLOW_START)

    def warm_up(self, now: float) -> None:
        """Slow start begins, and what its answers took before is forgotten: a process that comes back has changed.

        Until it answers it is taken for as quick as the others: were it taken for quicker, a burst would meet it cold.
        """
        self.warm_from = now + SLOW_START
        self.latency = PeakEwma(now, value=self._watcher.usual_latency(now))

    def when_empty(self, emptied: Callable[[], None]) -> None:
        """Calls `emptied` once no call is in flight."""
        if self.in_flight:
            self._emptied = emptied
        else:
            emptied()

    async def __call__(self, call: Call) -> Message:
        begin = self._seconds()
        self.in_flight += 1
        self.calls += 1
        try:
            reply = await self._service(call)
        except BaseException as error:
            self._ended_with(error, call, begin)
            raise
        else:
            now = self._seconds()
            if not call.streams:
                self.latency.observe(now - begin, now)
            self.health.succeeded(begin, now)
            self.answered = True
            return reply
        finally:
            self.in_flight -= 1
            if self._emptied is not None and not self.in_flight:
                self._emptied()

    def _ended_with(self, error: BaseException, call: Call, begin: float) -> None:
        now = self._seconds()
        # How long a stream goes on, and that its time is over, says nothing of how quickly calls are answered.
        took = 0.0 if call.streams else now - begin
        if not isinstance(error, RpcError):
            self.health.undecided()
            if is_cancel(error):  # a slow endpoint is one whose calls are given up, by hedges above all
                self.latency.at_least(took, now)
        elif error.status is Status.CANCELLED or (error.status is Status.DEADLINE_EXCEEDED and took < FAIR):
            self.health.undecided()
            self.latency.at_least(took, now)
        elif endpoint_failed(error):
            self.latency.observe(max(took, FAILURE_COSTS), now)
            self._failed(error, begin, now)
        elif endpoint_refused(error):
            pushback = max(0, error.pushback_ms or 0) / 1000
            self.latency.observe(max(took, pushback, REFUSAL_COSTS), now)
            self.health.succeeded(begin, now)  # whoever refuses is alive
            self._watcher.refused(max(pushback, REFUSAL_COSTS))
        elif error.processed is Processed.NOT_SENT:
            self.health.undecided()  # it never came to the endpoint
        else:
            self.latency.observe(took, now)
            self.health.succeeded(begin, now)

    def _failed(self, error: RpcError, begin: float, now: float) -> None:
        self.failures += 1
        self.last_error = str(error)
        self.failed_at = now
        self.health.failed(self.last_error, begin, now)
        if self.endpoint.state != "ready":
            self._gone(self.last_error)

    def pass_over(self) -> None:
        """It is not available, and a call goes elsewhere."""
        if self.away or not self.answered:
            return
        if not self.where.ready:
            self._gone("whoever runs it says that it is not ready")
        else:
            self._gone("it is leaving" if self.endpoint.state == "draining" else "its connection is lost")

    def _gone(self, cause: str) -> None:
        if not self.away:
            self.away = True
            state = self.endpoint.state
            self._watcher.changed(self, "away" if state in REACHABLE else state, cause)

    def look_again(self, now: float) -> None:
        """It was away, and may be back."""
        if self.away and self.where.ready and self.endpoint.state == "ready":
            self.away = False
            self.warm_up(now)
            self._watcher.changed(self, "ready", "it takes calls again")
