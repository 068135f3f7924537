"""Whether a process serves: one state, told to gRPC's health protocol and to the admin port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from recmesh.ops.bell import Bell
from recmesh.rpc.call import Context
from recmesh.rpc.status import RpcError, Status
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HealthBase


class Health(HealthBase):
    """The state of a process. Never depends on other processes: what they lack is no reason to restart this one."""

    def __init__(self) -> None:
        self.serving = False
        self.reason = "starting"  # why not, for people
        self._services: frozenset[str] = frozenset()
        self._stopped = False
        self._changed = Bell()

    def serve(self, services: Collection[str]) -> None:
        """The process serves, namely the services of these full names."""
        self._services = frozenset(services)
        self.serving, self.reason = True, ""
        self._changed.ring()

    def stop(self, reason: str) -> None:
        """For good: who watches is told so, and the watch ends, since it would keep the process from ending."""
        self.serving, self.reason, self._stopped = False, reason, True
        self._changed.ring()

    async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        if request.service and request.service not in self._services:
            raise RpcError(Status.NOT_FOUND, f"this process does not serve {request.service[:256]!r}")
        return pb.HealthCheckResponse(status=self._state(request.service))

    async def watch(self, request: pb.HealthCheckRequest, context: Context) -> AsyncIterator[pb.HealthCheckResponse]:
        told: pb.HealthCheckResponse.ServingStatus | None = None
        while True:
            state = self._state(request.service)
            if state != told:
                told = state
                yield pb.HealthCheckResponse(status=state)
            elif self._stopped:
                return
            else:
                await self._changed.heard()

    def _state(self, service: str) -> pb.HealthCheckResponse.ServingStatus:
        states = pb.HealthCheckResponse
        if service and service not in self._services:
            return states.SERVICE_UNKNOWN
        return states.SERVING if self.serving else states.NOT_SERVING
