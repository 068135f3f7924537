"""Calls under asyncio: Clock, Endpoint to call with, listen and Server to answer with.

Each belongs to the loop that runs when it is used.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from txaio import aio

from recmesh.rpc import endpoint, server
from recmesh.rpc.address import join_address, split_address, unix_path
from recmesh.rpc.aio.clock import Clock, Gate
from recmesh.rpc.aio.transport import LineProtocol
from recmesh.rpc.call import Filter, Handlers, stack
from recmesh.rpc.frames import DEFAULTS, Limits
from recmesh.rpc.server import DEFAULT_CONNECTIONS, Answering, ConnectionLimits
from recmesh.rpc.tls import Tls, TlsError
from recmesh.rpc.tls.files import Identity, identity_of
from recmesh.rpc.unix import bound, file_of

__all__ = ["Clock", "ConnectionLimits", "Endpoint", "Gate", "Server", "Tls", "TlsError", "listen"]


class _Loop:
    """The running loop as a recmesh.rpc.connection.base.Loop."""

    def __init__(self) -> None:
        self.futures: ModuleType = aio
        self.tasks = True

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    def call_later(self, delay: float, what: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay, what)

    def future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def settle(self, future: asyncio.Future[Any], result: object) -> None:
        if not future.done():
            future.set_result(result)


class Endpoint(endpoint.Endpoint):
    """Is a Service: sends calls to one address, over one connection, made at the first call and again when lost.

    The address is "host:port" or "unix:/path"; ValueError for anything else.
    """

    def __init__(
        self,
        address: str,
        *,
        limits: Limits = DEFAULTS,
        node_id: str = "",
        connect_timeout: float = endpoint.CONNECT_TIMEOUT,
        chance: random.Random | None = None,
        tls: Tls | Identity | None = None,
        max_idle: float = endpoint.MAX_IDLE,
    ) -> None:
        self._path = unix_path(address)
        self._host, self._port = ("", 0) if self._path else split_address(address)
        super().__init__(_Loop(), address, limits, node_id, connect_timeout, chance, tls=tls, max_idle=max_idle)
        self._attempt: asyncio.Task[None] | None = None

    def _dial(self) -> None:
        self._attempt = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> LineProtocol:
            return LineProtocol(lambda outlet, peer: self._begin(outlet))

        try:
            async with asyncio.timeout(self._connect_timeout):
                if self._path:
                    await loop.create_unix_connection(protocol, self._path)
                else:
                    await loop.create_connection(protocol, self._host, self._port)
        except TimeoutError:
            self._unreachable(f"no connection within {self._connect_timeout:g} s")
        except (OSError, ValueError) as error:  # the second for a name that no host can have
            self._unreachable(str(error))

    def _hang_up(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()


class Server(server.Server):
    """Answers the calls of every client that connects to one address. `listen` makes it."""

    _listener: asyncio.Server | None = None
    _file: tuple[int, int] | None = None

    async def _listen(self, address: str) -> None:
        loop, path = asyncio.get_running_loop(), unix_path(address)

        def protocol() -> LineProtocol:
            return LineProtocol(self._accept)

        if path:
            sock = await loop.run_in_executor(None, bound, path)
            self._listener = await loop.create_unix_server(protocol, sock=sock, backlog=server.BACKLOG)
            self.address, self._file = address, file_of(path)
            return
        host, port = split_address(address)
        self._listener = await loop.create_server(protocol, host, port, backlog=server.BACKLOG)
        self.address = join_address(*self._listener.sockets[0].getsockname()[:2])

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            await _stop_accepting(listener)
            listener.close()
            path = unix_path(self.address)
            if path and file_of(path) == self._file:
                os.unlink(path)


async def _stop_accepting(listener: asyncio.Server) -> None:
    """And lets sockets in that are half accepted: asyncio loses those that `close` comes upon."""
    loop = asyncio.get_running_loop()
    for sock in listener.sockets:
        with suppress(NotImplementedError, RuntimeError):  # of loops that accept otherwise
            loop.remove_reader(sock.fileno())
    await asyncio.sleep(0)


async def listen(
    address: str,
    handlers: Handlers,
    *,
    filters: Sequence[Filter] = (),
    limits: Limits = DEFAULTS,
    node_id: str = "",
    connections: ConnectionLimits = DEFAULT_CONNECTIONS,
    tls: Tls | Identity | None = None,
    chance: random.Random | None = None,
) -> Server:
    """Serves `handlers`, behind `filters`; OSError for a taken port. Port 0 takes any free one.

    The address is "host:port" or "unix:/path"; ValueError for anything else.
    """
    answering = Answering(handlers, stack(*filters, to=handlers), limits, node_id)
    listening = Server(_Loop(), answering, connections, identity_of(tls, server=True), chance)
    await listening._listen(address)
    return listening
