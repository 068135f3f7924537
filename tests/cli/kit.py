"""The gateway that the command reaches in a test, and how a refusal reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from recmesh import cli
from recmesh.rpc import RpcError
from recmesh.rpc.tls.files import Identity
from tests.client.fake import FakeEndpoint, FakeGateway


class Mesh:
    """The gateway that the command reaches, and where it looked for it."""

    def __init__(self) -> None:
        self.gateway = FakeGateway()
        self.failures: deque[RpcError] = deque()
        self.endpoints: list[FakeEndpoint] = []
        self.identities: list[Identity | None] = []

    def connect(self, address: str, tls: Identity | None = None) -> FakeEndpoint:
        self.identities.append(tls)
        self.endpoints.append(FakeEndpoint(address, self.gateway, self.failures))
        return self.endpoints[-1]

    @property
    def request(self) -> Any:
        (request,) = self.gateway.requests
        return request


def refusal(arguments: Sequence[str]) -> Any:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    return caught.value.code
