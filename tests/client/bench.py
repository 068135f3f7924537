"""A client of the SDK whose gateways are in memory."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from recmesh.client import RpcError
from recmesh.client.core import Client
from tests.client.fake import FakeClock, FakeEndpoint


class Bench:
    """A client whose gateways are in memory."""

    def __init__(self, *failures: list[RpcError], **options: Any) -> None:
        self.clock = FakeClock()
        self.endpoints: list[FakeEndpoint] = []
        waiting = deque(failures)

        def connect(address: str) -> FakeEndpoint:
            self.endpoints.append(FakeEndpoint(address, failures=deque(waiting.popleft() if waiting else ())))
            return self.endpoints[-1]

        addresses = [f"gateway:{place}" for place in range(max(1, len(failures)))]
        given: dict[str, Any] = {"timeout": 2.0, "tenant": ""} | options
        self.client = Client(addresses, connect, self.clock, random.Random(1), **given)

    @property
    def requests(self) -> list[Any]:
        return [request for endpoint in self.endpoints for request in endpoint.gateway.requests]  # type: ignore[attr-defined]

    @property
    def attempts(self) -> list[int]:
        return [len(endpoint.contexts) for endpoint in self.endpoints]
