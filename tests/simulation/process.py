"""Process: one that answers, with the real door before workers of which each does one call at a time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.mesh.door import door
from recmesh.mesh.endpoints import Surroundings
from recmesh.mesh.lag import Lag
from recmesh.mesh.log import Silent
from recmesh.mesh.metrics import Unrecorded
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Call, Origin, Processed, RpcError, Service, Status, stack, tx
from recmesh.v1.retrieval_pb2 import SearchResponse
from tests.simulation.reactor import Reactor

FOUND: Final = SearchResponse(item_ids=["alien"])
READING: Final = 0.02  # of the work of a call: what a process spends on each that arrives, refused or not
COLD: Final = 2.0  # times as long takes a call with empty caches
COLD_CALLS: Final = 200  # until they are full


@dataclass(frozen=True, slots=True)
class Work:
    """What a process does for a call, and how much of it at once."""

    seconds: float = 0.01  # in the mean
    spread: float = 0.4  # of the logarithm: one in a hundred takes 2.5 times as long as most
    workers: int = 1

    @property
    def capacity(self) -> float:
        """Calls a second."""
        return self.workers / self.seconds


class Workers:
    """Calls wait here once the door has let them in. What is begun goes on to its end, wanted or not, as threads do."""

    def __init__(self, reactor: Reactor, many: int, duration: Callable[[], float]) -> None:
        self._reactor = reactor
        self._free = many
        self._duration = duration
        self._waiting: deque[Deferred[Message]] = deque()

    async def __call__(self, call: Call) -> Message:
        job: Deferred[Message] = Deferred()
        if self._free:
            self._free -= 1
            self._begin(job)
        else:
            self._waiting.append(job)
        return await job

    def _begin(self, job: Deferred[Message]) -> None:
        self._reactor.callLater(self._duration(), self._end, job)

    def _end(self, job: Deferred[Message]) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.called:
                self._begin(waiting)
                break
        else:
            self._free += 1
        if not job.called:
            job.callback(FOUND)


class Process:
    """Serves at one address, and can be made slow, wrong, unreachable, or be stopped and started."""

    def __init__(self, reactor: Reactor, rng: random.Random, where: EndpointAddress, work: Work) -> None:
        self.where = where
        self.listening = True
        self.draining = False
        self.cut = False
        self.slowness = 1.0
        self.broken = False  # it answers every call at once, with an error
        self.on_state: list[Callable[[], None]] = []  # of the connections to it
        self.answered = COLD_CALLS  # since it was started
        self.life = 1
        self._reactor = reactor
        self._rng = rng
        self._work = work
        self._start()

    def _start(self) -> None:
        self._busy_until = 0.0  # with reading what arrives
        clock = tx.Clock(self._reactor)
        self._lag = Lag(clock)
        given = Surroundings(clock, self._rng, Unrecorded())
        self._workers = Workers(self._reactor, self._work.workers, self._duration)
        self.door = door(given, Silent(), lag=self._lag)
        self.service: Service = stack(*self.door.filters, to=self._handle)

    def _duration(self) -> float:
        cold = 1.0 + (COLD - 1.0) * max(0.0, 1.0 - self.answered / COLD_CALLS)
        self.answered += 1
        # A lognormal distribution of mean 1 is that of exp(-spread^2 / 2 + spread x).
        spread = self._work.spread
        return self._work.seconds * self.slowness * cold * self._rng.lognormvariate(-spread * spread / 2, spread)

    async def _handle(self, call: Call) -> Message:
        if self.broken:
            raise RpcError(Status.INTERNAL, "the bundle is broken", processed=Processed.YES, origin=Origin.APP)
        return await self._workers(call)

    def time_to_read(self, delay: float) -> float:
        """Seconds until a call is read that is sent at this moment and takes `delay` to arrive."""
        now = self._reactor.seconds()
        arrives = now + delay
        self._lag.seconds = max(0.0, self._busy_until - arrives)
        self._busy_until = max(arrives, self._busy_until) + READING * self._work.seconds
        return self._busy_until - now

    # What happens to it.

    def drain(self) -> None:
        """It asks its callers to go elsewhere, and still answers."""
        self.draining = True
        self._tell()

    def stop(self) -> None:
        """It ends at once, with all it was doing."""
        self.listening = self.draining = False
        self.life += 1
        self._tell()

    def start(self) -> None:
        """At the same address, with empty caches."""
        self.listening = True
        self.answered = 0
        self._start()

    def cut_off(self) -> None:
        """Nothing comes through to it or from it, and nobody is told."""
        self.cut = True
        self._tell()

    def rejoin(self) -> None:
        self.cut = False

    def _tell(self) -> None:
        for told in list(self.on_state):
            told()


def outcome_of(work: Deferred[Message], told: Callable[[Any], None]) -> None:
    """What a server's connection sends back."""
    work.addCallbacks(told, lambda failure: told(failure.value))
