"""Balancer: which of the replicas an attempt goes to."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from google.protobuf.message import Message

from recmesh.mesh.failure import endpoint_failed
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Call, Origin, Processed, RpcError, Service, Status

REACHABLE = frozenset({"idle", "ready"})
"""States in which a call has no connection to wait for; an idle endpoint connects at its first call."""


class Endpoint(Protocol):
    """What leads to one process, for example `recmesh.rpc.tx.Endpoint`."""

    @property
    def state(self) -> str:
        """One of "idle", "connecting", "ready", "draining", "backing off"."""
        ...

    def __call__(self, call: Call) -> Awaitable[Message]: ...


class Replica:
    """One endpoint as its caller sees it. Is a Service."""

    def __init__(
        self,
        where: EndpointAddress,
        endpoint: Endpoint,
        service: Service | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.where = where
        self.endpoint = endpoint
        self.in_flight = 0
        self.calls = 0
        self.failures = 0
        self.last_error = ""
        self.failed_at = 0.0  # when that was, by `seconds`
        self._seconds = seconds
        self._service = service or endpoint

    @property
    def state(self) -> str:
        return self.endpoint.state

    async def __call__(self, call: Call) -> Message:
        self.in_flight += 1
        self.calls += 1
        try:
            return await self._service(call)
        except RpcError as error:
            if endpoint_failed(error):
                self.failures += 1
                self.last_error = str(error)
                self.failed_at = self._seconds()
            raise
        finally:
            self.in_flight -= 1


class RoundRobin:
    """Sends attempts to the replicas in turn. Is a Service.

    Left out, while there are others: those that earlier attempts of the call went to, then those that are connecting,
    backing off or draining.
    """

    def __init__(self, name: str, replicas: Sequence[Replica]) -> None:
        self._name = name
        self._replicas = tuple(replicas)
        self._next = 0

    async def __call__(self, call: Call) -> Message:
        replica = self._pick(call.tried)
        call.tried.add(replica.where.id)
        return await replica(call)

    def _pick(self, tried: set[str]) -> Replica:
        count = len(self._replicas)
        if not count:
            message = f"no endpoint of {self._name} is known"
            raise RpcError(Status.UNAVAILABLE, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)

        def rank(place: int) -> tuple[bool, bool]:
            replica = self._replicas[place % count]
            return replica.where.id in tried, replica.state not in REACHABLE

        place = min(range(self._next, self._next + count), key=rank)  # the first of equals
        self._next = (place + 1) % count
        return self._replicas[place % count]
