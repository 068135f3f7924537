"""Whether a process serves: one state, told to gRPC's health protocol and to the admin port."""

from __future__ import annotations

from collections.abc import Collection

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

    def serve(self, services: Collection[str]) -> None:
        """The process serves, namely the services of these full names."""
        self._services = frozenset(services)
        self.serving, self.reason = True, ""

    def stop(self, reason: str) -> None:
        self.serving, self.reason = False, reason

    async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        if request.service and request.service not in self._services:
            raise RpcError(Status.NOT_FOUND, f"this process does not serve {request.service[:256]!r}")
        states = pb.HealthCheckResponse
        return pb.HealthCheckResponse(status=states.SERVING if self.serving else states.NOT_SERVING)
