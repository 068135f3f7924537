"""Endpoints: the replicas of an upstream as they come, go and fail, and the balancer that picks among them."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from google.protobuf.message import Message

from recmesh.mesh.balancer import Balancer, Picker
from recmesh.mesh.ejection import DEFAULTS, Ejection, EjectionPolicy, Health, State
from recmesh.mesh.log import Log, Silent
from recmesh.mesh.metrics import Recorder
from recmesh.mesh.replica import Endpoint, Replica
from recmesh.mesh.resolver import EndpointAddress, Resolver
from recmesh.mesh.subset import subset
from recmesh.rpc import Call, Clock, Service


@dataclass(frozen=True, slots=True)
class Connections:
    """How an endpoint is reached, and let go when it has left and its last call has ended."""

    connect: Callable[[EndpointAddress], Endpoint]
    release: Callable[[Endpoint], None] = lambda endpoint: None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What policies are given from outside."""

    clock: Clock
    rng: random.Random
    recorder: Recorder
    log: Log = field(default_factory=Silent)
    node: str = ""  # this process's name, which says which endpoints of very many it uses
    zone: str = ""  # where it runs, and calls prefer to stay; empty: wherever


class Endpoints:
    """Follows a resolver. Is a Service: each call is one attempt."""

    def __init__(
        self,
        name: str,
        connections: Connections,
        around: Callable[[Endpoint], Service],
        picker: Picker,
        given: Surroundings,
        shard: int = 0,
        ejection: EjectionPolicy = DEFAULTS,
        most: int | None = None,
    ) -> None:
        """`around`: the policies of an attempt; `most`: how many endpoints this caller uses, None for all."""
        self.name = name
        self.shard = shard
        self.replicas: tuple[Replica, ...] = ()
        self.seconds = given.clock.seconds
        self.balancer = Balancer(name, self.seconds, picker, ejection.panic_share)
        self._connections = connections
        self._around = around
        self._log = given.log
        self._caller = given.node
        self._most = most
        self._began = False  # endpoints of the first snapshot are not new among others: they need no slow start
        self._refused_until = 0.0
        self._ejection = Ejection(given.rng, ejection)
        self._ejection.on_change = self._health_changed
        self._ejection.on_spared = self._refresh
        self._gauges = _Gauges(given.recorder, self)

    def __call__(self, call: Call) -> Coroutine[Any, Any, Message]:
        return self.balancer(call)

    def elsewhere(self, call: Call) -> bool:
        return self.balancer.elsewhere(call)

    def refusing(self) -> bool:
        """An endpoint has just said that it has too much to do: no moment for calls that are not needed."""
        return self.seconds() < self._refused_until

    def follow(self, resolver: Resolver) -> None:
        resolver.watch(self._told)

    def _told(self, endpoints: Sequence[EndpointAddress]) -> None:
        wanted = {each.id: each for each in endpoints if each.shard == self.shard}
        stay = dict[str, Replica]()
        for replica in self.replicas:
            its = wanted.get(replica.where.id)
            if its is not None and its.address == replica.where.address:
                replica.where = its
                stay[its.id] = replica
            else:
                self._leave(replica)
        self.replicas = tuple(stay.get(each.id) or self._join(each) for each in wanted.values())
        used = wanted.values() if self._most is None else subset(list(wanted.values()), self._caller, self._most)
        ids = {each.id for each in used}
        for each in self.replicas:
            each.health.in_use = each.where.id in ids
        self.balancer.use([each for each in self.replicas if each.health.in_use])
        self._began = self._began or bool(wanted)

    def _join(self, where: EndpointAddress) -> Replica:
        now = self.seconds()
        endpoint = self._connections.connect(where)
        replica = Replica(
            where,
            endpoint,
            self._around(endpoint),
            self._ejection.admit(now),
            self.seconds,
            self,
            joins=self._began,
        )
        self._gauges.show(replica)
        if self._began:
            self.changed(replica, "joined", "the resolver names it")
        return replica

    def _leave(self, replica: Replica) -> None:
        self._ejection.dismiss(replica.health)
        self._gauges.hide(replica)
        self.changed(replica, "left", "the resolver no longer names it")
        replica.when_empty(lambda: self._connections.release(replica.endpoint))

    # What replicas and their health tell.

    def changed(self, replica: Replica, state: str, cause: str) -> None:
        self._log.info(
            "an endpoint has changed",
            upstream=self.name, shard=self.shard, endpoint=replica.where.id, address=replica.where.address,
            state=state, cause=cause,
        )  # fmt: skip

    def refused(self, seconds: float) -> None:
        self._refused_until = max(self._refused_until, self.seconds() + seconds)

    def usual_latency(self, now: float) -> float:
        """That of the quickest: a mean would hold what failures cost."""
        return min(filter(None, (each.latency.value(now) for each in self.replicas)), default=0.0)

    def _health_changed(self, health: Health) -> None:
        replica = next((each for each in self.replicas if each.health is health), None)
        if replica is None:
            return  # it has left, and its last calls fail
        if health.state is State.HEALTHY:
            replica.warm_up(self.seconds())
        elif health.state is State.EJECTED:
            self._gauges.ejected()
        self.changed(replica, health.state.value, health.cause)
        self._refresh()

    def _refresh(self) -> None:
        before = self.balancer.panic
        self.balancer.refresh()
        if self.balancer.panic != before:
            message = "too few endpoints are usable; ejections are ignored" if not before else "ejections hold again"
            self._log.warning(message, upstream=self.name, shard=self.shard)


class _Gauges:
    """What is seen of the endpoints from outside."""

    def __init__(self, recorder: Recorder, endpoints: Endpoints) -> None:
        self._labels = (endpoints.name, str(endpoints.shard))
        labels = ("upstream", "shard")
        states = recorder.gauge("recmesh_endpoints", "Endpoints of other services, by how they are.", *labels, "state")
        for state in ("ready", "away", "probation", "ejected"):
            states.ask(partial(_count, endpoints, state), *self._labels, state)
        self._ejections = recorder.counter("recmesh_endpoint_ejections_total", "Endpoints ejected.", *labels)
        self._in_flight = recorder.gauge(
            "recmesh_endpoint_calls_in_flight", "Attempts that wait for an endpoint.", *labels, "endpoint"
        )
        self._cost = recorder.gauge(
            "recmesh_endpoint_cost_seconds", "What a call to an endpoint is expected to cost.", *labels, "endpoint"
        )
        self._seconds = endpoints.seconds

    def show(self, replica: Replica) -> None:
        values = (*self._labels, replica.where.id)
        self._in_flight.ask(lambda: replica.in_flight, *values)
        self._cost.ask(lambda: replica.cost(self._seconds()), *values)

    def hide(self, replica: Replica) -> None:
        values = (*self._labels, replica.where.id)
        self._in_flight.forget(*values)
        self._cost.forget(*values)

    def ejected(self) -> None:
        self._ejections.add(1, *self._labels)


def _count(endpoints: Endpoints, state: str) -> float:
    return sum(condition(each) == state for each in endpoints.replicas)


def condition(replica: Replica) -> str:
    """ "ejected", "probation", "away" or "ready"."""
    if replica.health.state is not State.HEALTHY:
        return str(replica.health.state.value)
    return "ready" if replica.available else "away"
