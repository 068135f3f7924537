"""The way of a call to one of a service's endpoints: which policies it meets, in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from recmesh.mesh.balancer import Endpoint, Replica, RoundRobin
from recmesh.mesh.budget import Budget
from recmesh.mesh.metrics import Metrics, Recorder
from recmesh.mesh.resolver import EndpointAddress, Resolver
from recmesh.mesh.retry import Retry
from recmesh.mesh.timeout import Timeout
from recmesh.mesh.trace import Trace
from recmesh.rpc import Call, Clock, Service, stack


@dataclass(frozen=True, slots=True)
class Policy:
    """How an upstream service is called."""

    seconds: float = 1.0  # for the whole call
    attempt_seconds: float = 0.5  # for one attempt, so that another fits in when an endpoint hangs
    attempts: int = 2


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What policies are given from outside."""

    clock: Clock
    rng: random.Random
    recorder: Recorder


class Backend:
    """A service, or one shard of it, behind the policies of its caller. Is a Service, and shows its replicas."""

    def __init__(
        self, name: str, shard: int, replicas: Sequence[Replica], around: Callable[[Service], Service]
    ) -> None:
        self.name = name
        self.shard = shard
        self.replicas = tuple(replicas)
        self._around = around
        self._service = around(RoundRobin(name, replicas))

    async def __call__(self, call: Call) -> Message:
        return await self._service(call)

    def only(self, replica: Replica) -> Service:
        """This replica alone, under the same policies: for what every replica has to be told."""
        return self._around(RoundRobin(f"{self.name} at {replica.where.address}", [replica]))


def backend(
    name: str,
    resolver: Resolver,
    connect: Callable[[EndpointAddress], Endpoint],
    given: Surroundings,
    policy: Policy = Policy(),
    shard: int = 0,
) -> Backend:
    """The endpoints of `shard`, each behind its own connection, and all of them behind the policies."""
    clock, recorder = given.clock, given.recorder
    calls = Metrics(
        clock, recorder, "rpc_client_call_duration_seconds", "Calls to other services, retries included.", upstream=name
    )
    attempts = Metrics(
        clock, recorder, "rpc_client_attempt_duration_seconds", "Attempts of calls to other services.", upstream=name
    )
    per_call = (
        Trace(given.rng),  # outermost: whatever happens below belongs to this span
        calls,  # what the caller waits, so outside of everything that repeats or waits
        Timeout(clock, policy.seconds),  # over all attempts and the pauses between them
        Retry(
            clock, given.rng, Budget(clock), policy.attempts
        ),  # above the balancer, which sends each attempt elsewhere
    )
    per_attempt = (
        attempts,  # once a replica is picked: what that one took
        Timeout(clock, policy.attempt_seconds),  # innermost: leaves Retry the time for another attempt
    )

    def replica(where: EndpointAddress) -> Replica:
        endpoint = connect(where)
        return Replica(where, endpoint, stack(*per_attempt, to=endpoint), clock.seconds)

    replicas = [replica(where) for where in resolver.snapshot() if where.shard == shard]
    return Backend(name, shard, replicas, lambda service: stack(*per_call, to=service))
