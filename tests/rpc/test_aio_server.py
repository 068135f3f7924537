"""A server under asyncio: drain, close, cancelled handlers, bad addresses; clients in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from recmesh.rpc import Context, Handlers, Processed, Status, aio
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HEALTH_CHECK
from tests.rpc.kit import SERVING, ask, failure_of, stub


class Waiting:
    """Answers when it is released."""

    def __init__(self) -> None:
        self.asked = self.cancelled = 0
        self.released = asyncio.Event()

    async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        self.asked += 1
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return SERVING

    def handlers(self) -> Handlers:
        handlers = Handlers()
        handlers.add(HEALTH_CHECK, self.check)
        return handlers

    async def until_asked(self, times: int) -> None:
        while self.asked < times:
            await asyncio.sleep(0)


Work = Callable[[aio.Server, aio.Endpoint, Waiting], Coroutine[Any, Any, None]]


def run(work: Work, **options: Any) -> None:
    """`work`, in a loop in which nothing is left behind and nothing went wrong in the background."""

    async def main() -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        waiting = Waiting()
        server = await aio.listen("127.0.0.1:0", waiting.handlers(), **options)
        endpoint = aio.Endpoint(server.address)
        await work(server, endpoint, waiting)
        await endpoint.close()
        await server.close()
        assert (server.connections, server.in_flight, problems) == (0, 0, [])

    asyncio.run(main())


def test_calls_that_wait_are_answered_when_their_handlers_are_done() -> None:
    async def work(server: aio.Server, endpoint: aio.Endpoint, waiting: Waiting) -> None:
        asked = [asyncio.ensure_future(stub(endpoint).check(ask())) for _ in range(100)]
        await waiting.until_asked(100)
        assert (server.connections, server.in_flight) == (1, 100)
        waiting.released.set()
        assert await asyncio.gather(*asked) == [SERVING] * 100

    run(work)


def test_a_drain_lets_open_calls_end() -> None:
    async def work(server: aio.Server, endpoint: aio.Endpoint, waiting: Waiting) -> None:
        asked = asyncio.ensure_future(stub(endpoint).check(ask()))
        await waiting.until_asked(1)
        draining = asyncio.ensure_future(server.drain(10.0))
        while endpoint.serving:
            await asyncio.sleep(0)
        waiting.released.set()
        assert await asked == SERVING
        await draining
        error = await failure_of(stub(endpoint).check(ask()))
        assert error.processed == Processed.NOT_SENT

    run(work)


def test_a_drain_waits_no_longer_than_its_grace() -> None:
    async def work(server: aio.Server, endpoint: aio.Endpoint, waiting: Waiting) -> None:
        asked = asyncio.ensure_future(failure_of(stub(endpoint).check(ask())))
        await waiting.until_asked(1)
        await server.drain(0.01)
        assert (await asked).message == "the server has stopped" and waiting.cancelled == 1

    run(work)


def test_while_it_will_stop_it_still_accepts() -> None:
    async def work(server: aio.Server, endpoint: aio.Endpoint, waiting: Waiting) -> None:
        waiting.released.set()
        draining = asyncio.ensure_future(server.drain(1.0, accept_for=0.1))
        await asyncio.sleep(0)
        assert await stub(endpoint).check(ask()) == SERVING
        await draining

    run(work)


def test_a_deadline_cancels_the_handler() -> None:
    async def work(server: aio.Server, endpoint: aio.Endpoint, waiting: Waiting) -> None:
        context = Context(deadline=aio.Clock().seconds() + 0.05)
        assert (await failure_of(stub(endpoint).check(ask(), context))).status == Status.DEADLINE_EXCEEDED
        while not waiting.cancelled:
            await asyncio.sleep(0)

    run(work)


def test_a_taken_port_is_an_error() -> None:
    async def work(server: aio.Server, endpoint: aio.Endpoint, waiting: Waiting) -> None:
        with pytest.raises(OSError, match="in use"):
            await aio.listen(server.address, waiting.handlers())

    run(work)


def test_the_file_of_a_unix_socket_is_gone_with_its_server(tmp_path: Path) -> None:
    async def main() -> None:
        waiting, address = Waiting(), f"unix:{tmp_path}/socket"
        server = await aio.listen(address, waiting.handlers())
        assert (tmp_path / "socket").is_socket() and server.address == address
        with pytest.raises(OSError, match="in use"):
            await aio.listen(address, waiting.handlers())
        await server.close()
        assert not (tmp_path / "socket").exists()
        again = await aio.listen(address, waiting.handlers())
        (tmp_path / "socket").unlink()
        (tmp_path / "socket").write_text("of another")
        await again.close()
        assert (tmp_path / "socket").read_text() == "of another"

    asyncio.run(main())


def test_a_server_that_requires_tls_needs_a_certificate(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(aio.TlsError, match="a server needs a certificate"):
            await aio.listen("127.0.0.1:0", Waiting().handlers(), tls=aio.Tls())

    asyncio.run(main())
