"""Simulated endpoints on a clock that the test moves, and callers that call at a rate."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.mesh.affinity import Affinity, Key
from recmesh.mesh.balancer import LeastCost, Picker
from recmesh.mesh.ejection import DEFAULTS, EjectionPolicy
from recmesh.mesh.endpoints import Connections, Endpoints, Surroundings
from recmesh.mesh.replica import Endpoint, Replica
from recmesh.mesh.resolver import EndpointAddress, Told
from recmesh.mesh.zone import NearFirst
from recmesh.rpc import Call, RpcError, Service
from recmesh.testing import FakeClock
from tests.mesh.kit import FOUND, Log, Recorder, search


class Host:
    """An endpoint that takes its time, or fails."""

    def __init__(self, clock: FakeClock, latency: float = 0.010) -> None:
        self.latency = latency
        self.fails: RpcError | None = None
        self.calls = 0
        self.released = 0
        self.state = "ready"
        self._clock = clock

    async def __call__(self, call: Call) -> Message:
        self.calls += 1
        if self.latency:
            await self._clock.sleep(self.latency)
        if self.fails is not None:
            raise self.fails
        return FOUND


class Changing:
    """A Resolver whose endpoints the test changes."""

    def __init__(self, *endpoints: EndpointAddress) -> None:
        self._endpoints: Sequence[EndpointAddress] = endpoints
        self._watchers: list[Told] = []

    def watch(self, told: Told) -> None:
        self._watchers.append(told)
        told(self._endpoints)

    def set(self, *endpoints: EndpointAddress) -> None:
        self._endpoints = endpoints
        for told in self._watchers:
            told(endpoints)


def at(name: str, address: str = "", **fields: Any) -> EndpointAddress:
    return EndpointAddress(name, address or f"{name}:7200", **fields)


def named(count: int) -> list[EndpointAddress]:
    return [at(f"host-{number}") for number in range(count)]


class Crowd:
    """Callers of one upstream, whose endpoints are Hosts."""

    def __init__(
        self,
        *endpoints: EndpointAddress,
        seed: int = 1,
        ejection: EjectionPolicy = DEFAULTS,
        key: Key | None = None,
        most: int | None = None,
        node: str = "",
        zone: str = "",
    ) -> None:
        self.clock = FakeClock()
        self.rng = random.Random(seed)
        self.hosts: dict[str, Host] = {}
        self.released: list[Endpoint] = []
        self.log = Log()
        self.recorder = Recorder()
        self.resolver = Changing(*endpoints)
        self.outcomes: Counter[str] = Counter()
        self.open = 0  # calls that have not ended
        picker: Picker = LeastCost(self.rng)
        if zone:
            picker = NearFirst(zone, picker, self.rng)
        self.endpoints = Endpoints(
            "retrieval",
            Connections(self._connect, self.released.append),
            lambda endpoint: endpoint,
            Affinity(key, picker) if key else picker,
            Surroundings(self.clock, self.rng, self.recorder, self.log, node),
            ejection=ejection,
            most=most,
        )
        self.endpoints.follow(self.resolver)
        self.service: Service = self.endpoints

    def _connect(self, where: EndpointAddress) -> Host:
        self.hosts[where.id] = Host(self.clock)
        return self.hosts[where.id]

    def replica(self, name: str) -> Replica:
        return next(each for each in self.endpoints.replicas if each.where.id == name)

    def call(self, call: Call | None = None) -> Deferred[None]:
        self.open += 1
        return Deferred.fromCoroutine(self._count(self.service(call or search())))

    async def _count(self, work: Awaitable[Message]) -> None:
        try:
            await work
        except RpcError as error:
            self.outcomes[error.status.name] += 1
        else:
            self.outcomes["OK"] += 1
        finally:
            self.open -= 1

    def calls_for(self, seconds: float, rate: float, each: Callable[[], object] = lambda: None) -> None:
        """So many calls a second, begun at random moments."""
        end = self.clock.seconds() + seconds
        while (begin := self.clock.seconds() + self.rng.expovariate(rate)) < end:
            self.until(begin)
            self.call()
            each()
        self.until(end)

    def until(self, end: float) -> None:
        """Time passes from timer to timer, so that each sees the moment it was set for."""
        while due := [timer.getTime() for timer in self.clock.timers if timer.getTime() < end]:
            self.clock.advance(max(0.0, min(due) - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def settle(self) -> None:
        """Every call ends, once, and leaves nothing."""
        for _ in range(1_000):
            if not self.clock.timers:
                break
            self.until(self.clock.seconds() + 1.0)
        assert not self.clock.timers
        assert self.open == 0 and all(each.in_flight == 0 for each in self.endpoints.replicas)

    def share(self, name: str) -> float:
        return self.hosts[name].calls / sum(each.calls for each in self.hosts.values())

    def forget(self) -> None:
        """Counts of what was so far."""
        self.outcomes.clear()
        for each in self.hosts.values():
            each.calls = 0

    def lines(self, name: str) -> list[str]:
        """The states of one endpoint that were logged."""
        return [line["state"] for line in self.log.lines if line.get("endpoint") == name]
