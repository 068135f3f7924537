"""Client for asyncio: its methods are coroutines.

async with Client("127.0.0.1:7000") as client:
    answer = await client.recommend("42", count=10)
"""

from __future__ import annotations

import random
from types import TracebackType
from typing import Self

from recmesh.client import core
from recmesh.client.gateways import connecting
from recmesh.rpc.aio import Clock, Endpoint
from recmesh.rpc.tls import Tls


class Client(core.Client):
    """The mesh behind one gateway, or several of which each call takes one; "host:port", "unix:/path".

    Connects at the first call. `timeout`: seconds a call may take. `tls`: the files of a gateway that requires TLS.
    """

    def __init__(self, *gateways: str, timeout: float = core.TIMEOUT, tenant: str = "", tls: Tls | None = None) -> None:
        connect = connecting(Endpoint, tls)
        super().__init__(gateways, connect, Clock(), random.Random(), timeout=timeout, tenant=tenant)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
