"""Servers and clients of every glue, for tests that run in the Twisted reactor: asyncio has a thread of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from recmesh.rpc import aio, blocking, tx
from recmesh.rpc.tls import Tls
from tests.rpc.certificates import Authority
from tests.rpc.kit import Health, Loopback, reactor

T = TypeVar("T")


class AsyncioServer:
    """A server under asyncio, in a thread."""

    def __init__(self, address: str, health: Health, options: dict[str, Any]) -> None:
        self.begun: Deferred[str] = Deferred()  # its address
        self._work = lambda: self._serve(address, health, options)
        self._thread = deferToThread(lambda: asyncio.run(self._work()))
        self._thread.addErrback(self.begun.errback)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def stop(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        await self._thread

    async def _serve(self, address: str, health: Health, options: dict[str, Any]) -> None:
        self._loop = asyncio.get_running_loop()
        problems: list[Any] = []
        self._loop.set_exception_handler(lambda loop, context: problems.append(context))
        server = await aio.listen(address, health.handlers(), **options)
        reactor.callFromThread(self.begun.callback, server.address)
        await self._stop.wait()
        await server.drain(5.0)
        await server.close()
        assert (server.connections, server.in_flight, problems) == (0, 0, [])


class Glued(Loopback):
    """A test with servers and clients of both loops."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    async def serve_at(self, address: str, health: Health, **options: Any) -> str:
        """A Twisted server; its address."""
        server = await tx.listen(reactor, address, health.handlers(), **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.close()))
        return server.address

    async def serve_under_asyncio(self, address: str, health: Health, **options: Any) -> str:
        server = AsyncioServer(address, health, options)
        bound = await server.begun
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return bound

    async def with_twisted(self, address: str, work: Callable[[Any], Coroutine[Any, Any, T]], **options: Any) -> T:
        endpoint = tx.Endpoint(reactor, address, **options)
        try:
            return await work(endpoint)
        finally:
            await endpoint.close()

    async def with_asyncio(self, address: str, work: Callable[[Any], Coroutine[Any, Any, T]], **options: Any) -> T:
        async def main() -> T:
            endpoint = aio.Endpoint(address, **options)
            try:
                return await work(endpoint)
            finally:
                await endpoint.close()

        return await deferToThread(lambda: asyncio.run(main()))

    async def with_a_thread(self, address: str, work: Callable[[Any], Coroutine[Any, Any, T]], **options: Any) -> T:
        """The blocking client, which needs none but blocks the one it has."""
        endpoint = blocking.Endpoint(address, **options)

        def main() -> T:
            try:
                return blocking.run(work(endpoint))
            finally:
                blocking.run(endpoint.close())

        return await deferToThread(main)


def members(folder: Path) -> tuple[Tls, Tls]:
    """The files of a server and of a client that know each other."""
    authority = Authority(folder)
    return authority.member("ranking"), authority.member("gateway")
