"""Status: how the mesh looks from here."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.quality import Quality
from gateway.upstreams import Upstreams
from gateway.versions import Versions
from recmesh import __version__
from recmesh.mesh.backend import Backend
from recmesh.mesh.replica import Replica
from recmesh.rpc import Clock
from recmesh.v1.recommender_pb2 import EndpointStatus, StatusResponse, UpstreamStatus


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """Describes every upstream without asking any: it answers while they are away."""

    upstreams: Upstreams
    versions: Versions
    quality: Quality
    clock: Clock
    started: float  # on that clock

    def __call__(self) -> StatusResponse:
        return StatusResponse(
            bundle_version=self.versions.current,
            serving=bool(self.versions.current),
            build=__version__,
            uptime_seconds=self.clock.seconds() - self.started,
            quality=self.quality.factor,
            upstreams=[self._upstream(each) for each in self.upstreams.backends],
        )

    def _upstream(self, backend: Backend) -> UpstreamStatus:
        endpoints = [self._endpoint(replica) for replica in backend.replicas]
        upstream, hedge = backend.upstream, backend.hedge
        return UpstreamStatus(
            service=backend.name,
            shard=backend.shard,
            endpoints=endpoints,
            retry_budget=upstream.budget.level,
            in_flight=upstream.breaker.in_flight,
            limit=upstream.limit,
            queued=upstream.breaker.queued,
            throttle=upstream.throttle.probability,
            hedges_sent=hedge.sent if hedge else 0,
            hedges_won=hedge.won if hedge else 0,
            panic=backend.endpoints.balancer.panic,
        )

    def _endpoint(self, replica: Replica) -> EndpointStatus:
        return EndpointStatus(
            address=replica.where.address,
            state=replica.state,
            in_flight=replica.in_flight,
            calls=replica.calls,
            failures=replica.failures,
            last_error=replica.last_error,
            last_error_age_seconds=self.clock.seconds() - replica.failed_at if replica.last_error else 0.0,
            problem=self.versions.problem(replica),
            bundle_versions=self.versions.reported(replica),
            id=replica.where.id,
            health=replica.health.state.value,
            cause=replica.health.cause,
            ejections=replica.health.ejections,
            cost_seconds=replica.cost(self.clock.seconds()),
        )
