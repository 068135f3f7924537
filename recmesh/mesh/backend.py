"""The way of a call to one of a service's endpoints: which policies it meets, in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from recmesh.mesh.affinity import Affinity, Key
from recmesh.mesh.balancer import Balancer, LeastCost, Picker
from recmesh.mesh.breaker import Breaker
from recmesh.mesh.budget import Budget
from recmesh.mesh.ejection import DEFAULTS, EjectionPolicy
from recmesh.mesh.endpoints import Connections, Endpoints, Surroundings
from recmesh.mesh.hedge import Hedge
from recmesh.mesh.metrics import Metrics
from recmesh.mesh.replica import Endpoint, Replica
from recmesh.mesh.resolver import Resolver
from recmesh.mesh.retry import Retry
from recmesh.mesh.subset import MOST
from recmesh.mesh.throttle import Throttle
from recmesh.mesh.timeout import Attempt, Deadline
from recmesh.mesh.trace import Trace
from recmesh.mesh.zone import NearFirst
from recmesh.rpc import Call, Filter, Service, stack


@dataclass(frozen=True, slots=True)
class Policy:
    """How an upstream service is called."""

    seconds: float = 1.0  # for the whole call
    attempt_seconds: float = 0.5  # for one attempt where another could follow elsewhere: an endpoint may hang
    attempt: Filter | None = None  # bounds an attempt instead of that
    attempts: int = 3  # the first, one elsewhere, and one after a pause
    hedging: bool = True
    most_in_flight: int = 1_024
    most_queued: int = 256
    ejection: EjectionPolicy = DEFAULTS
    affinity: Key | None = None  # calls of one key go to one endpoint; None: to whichever costs least
    most_endpoints: int = MOST  # that one caller uses; calls with an affinity use all, so that callers agree


class Upstream:
    """What the calls to one service share, whichever shard they go to."""

    def __init__(self, name: str, given: Surroundings, policy: Policy) -> None:
        clock, rng, recorder = given.clock, given.rng, given.recorder
        self.name = name
        self.limit = policy.most_in_flight
        self.budget = Budget(clock)
        self.breaker = Breaker(clock, policy.most_in_flight, policy.most_queued)
        self.throttle = Throttle(clock, rng)
        self.retry = Retry(clock, rng, self.budget, policy.attempts)
        calls = Metrics(
            clock, recorder, "rpc_client_call_duration_seconds", "Calls to services, retries included.", upstream=name
        )
        self.per_call: Sequence[Filter] = (
            Trace(rng),  # outermost: whatever happens below belongs to this span
            calls,  # what the caller waits, so outside of everything that drops, repeats or waits
            self.throttle,  # before a call takes time or a place: dropping is for when there is too much to do
            Deadline(clock, policy.seconds),  # over the wait for a place, all attempts and the pauses between them
            self.breaker,  # outside of Retry: a call holds one place however often it is attempted
            self.retry,  # above the balancer, which sends each attempt elsewhere
        )
        self._show(given)

    def _show(self, given: Surroundings) -> None:
        gauge, counter = given.recorder.gauge, given.recorder.counter
        name, throttle, breaker, retry = self.name, self.throttle, self.breaker, self.retry
        gauge("recmesh_retry_budget", "Retries and hedges that could be paid for.", "upstream").ask(
            lambda: self.budget.level, name
        )
        gauge("recmesh_upstream_calls_in_flight", "Calls to another service.", "upstream").ask(
            lambda: breaker.in_flight, name
        )
        gauge("recmesh_upstream_calls_queued", "Calls that wait for one to end.", "upstream").ask(
            lambda: breaker.queued, name
        )
        gauge(
            "recmesh_throttle_probability", "With which a call is dropped because many were refused.", "upstream"
        ).ask(lambda: throttle.probability, name)
        kept = counter("recmesh_upstream_calls_kept_back_total", "Calls that were not sent.", "upstream", "by")
        kept.ask(lambda: throttle.dropped, name, "throttle")
        kept.ask(lambda: breaker.rejected, name, "breaker")
        kept.ask(lambda: retry.unaffordable, name, "budget")


class Backend:
    """A service, or one shard of it, behind the policies of its caller. Is a Service, and shows its replicas."""

    def __init__(self, upstream: Upstream, endpoints: Endpoints, hedge: Hedge | None) -> None:
        self.upstream = upstream
        self.endpoints = endpoints
        self.hedge = hedge
        # Below Retry, so that an attempt of either kind is one call to the balancer, and Retry sees the better outcome.
        hedges: Sequence[Filter] = (hedge,) if hedge is not None else ()
        self._service = stack(*upstream.per_call, *hedges, to=endpoints)

    @property
    def name(self) -> str:
        return self.upstream.name

    @property
    def shard(self) -> int:
        return self.endpoints.shard

    @property
    def replicas(self) -> Sequence[Replica]:
        """All there are, also those beyond the subset that calls go to."""
        return self.endpoints.replicas

    def __call__(self, call: Call) -> Awaitable[Message]:
        return self._service(call)

    def only(self, replica: Replica) -> Service:
        """This replica alone, under the same policies: for what every replica has to be told."""
        name = f"{self.name} at {replica.where.address}"
        alone = Balancer(name, self.endpoints.seconds, lambda call, replicas, now: replicas[0])
        alone.use([replica])
        return stack(*self.upstream.per_call, to=alone)


def backends(
    name: str,
    resolver: Resolver,
    connections: Connections,
    given: Surroundings,
    policy: Policy = Policy(),
    shards: int = 1,
) -> tuple[Backend, ...]:
    """A Backend for each shard of a service; they share its budget, breaker and throttle."""
    upstream = Upstream(name, given, policy)

    def shard_of(shard: int) -> Backend:
        around = _per_attempt(name, given, policy, lambda call: endpoints.elsewhere(call))
        picker: Picker = LeastCost(given.rng)
        if given.zone:
            picker = NearFirst(given.zone, picker, given.rng)
        most: int | None = policy.most_endpoints
        if policy.affinity is not None:
            picker, most = Affinity(policy.affinity, picker), None
        endpoints = Endpoints(name, connections, around, picker, given, shard, policy.ejection, most)
        endpoints.follow(resolver)
        hedge = Hedge(given.clock, upstream.budget, endpoints.refusing, endpoints.elsewhere) if policy.hedging else None
        return Backend(upstream, endpoints, hedge)

    made = tuple(shard_of(shard) for shard in range(shards))
    hedges = given.recorder.counter("recmesh_hedges_total", "Second copies of slow calls.", "upstream", "outcome")
    hedges.ask(lambda: sum(each.hedge.sent for each in made if each.hedge), name, "sent")
    hedges.ask(lambda: sum(each.hedge.won for each in made if each.hedge), name, "won")
    return made


def backend(
    name: str, resolver: Resolver, connections: Connections, given: Surroundings, policy: Policy = Policy()
) -> Backend:
    """The Backend of a service without shards."""
    return backends(name, resolver, connections, given, policy)[0]


def _per_attempt(
    name: str, given: Surroundings, policy: Policy, elsewhere: Callable[[Call], bool]
) -> Callable[[Endpoint], Service]:
    """What stands between a Replica, which takes cost and ejection from the outcome, and its connection."""
    clock = given.clock
    attempts = Metrics(
        clock, given.recorder, "rpc_client_attempt_duration_seconds", "Attempts of calls to services.", upstream=name
    )
    filters = (
        attempts,  # of this endpoint; what comes above is one call, what comes here may be one of several
        # Innermost: leaves Retry the time for another.
        policy.attempt or Attempt(clock, policy.attempt_seconds, policy.attempts, elsewhere),
    )
    return lambda endpoint: stack(*filters, to=endpoint)
