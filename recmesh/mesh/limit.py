"""Limit: how many calls a process works on at once."""

from __future__ import annotations

import random
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Origin, Processed, RpcError, Service, Status

EXEMPT: Final = ("/grpc.health.v1.Health/",)
"""An overloaded process is not an unhealthy one: probes are answered all the same."""

PUSHBACK_MS: Final = (50, 200)  # spread, so that the refused do not come back together


class Limit:
    """Refuses calls beyond `most` in flight, before a handler sees them, and says when to come back."""

    def __init__(self, most: int, rng: random.Random) -> None:
        self.in_flight = 0
        self._most = most
        self._rng = rng

    async def __call__(self, call: Call, service: Service) -> Message:
        if call.method.path.startswith(EXEMPT):
            return await service(call)
        if self.in_flight >= self._most:
            raise RpcError(
                Status.UNAVAILABLE,
                f"{self.in_flight} calls are in flight, and no more than {self._most} are taken at once",
                processed=Processed.REFUSED,
                origin=Origin.SERVER,
                pushback_ms=self._rng.randint(*PUSHBACK_MS),
            )
        self.in_flight += 1
        try:
            return await service(call)
        finally:
            self.in_flight -= 1
