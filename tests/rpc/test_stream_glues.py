"""Streams over real sockets: the same coroutine under Twisted, under asyncio and without a loop, to both servers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from recmesh.rpc import Channel, Context, RpcError, Status, blocking
from recmesh.rpc.blocking import each, run
from tests.rpc.glues import Glued, members
from tests.rpc.kit import Health, reactor, until
from tests.rpc.streams import COUNT, Stub, Test, numbers, parts, values

T = TypeVar("T")
PIECES = [bytes([n]) * 70_000 for n in range(100)]  # 7 MB, over the window of a connection


class Served(Health):
    """Test, where a Health is expected."""

    def __init__(self) -> None:
        super().__init__()
        self.test = Test()

    def handlers(self) -> Any:
        return self.test.handlers()


async def every_kind(endpoint: Any) -> None:
    stub = Stub(endpoint)
    trailers: dict[str, str | bytes] = {}
    assert await numbers(stub.count(3, Context(trailers=trailers))) == [0, 1, 2]
    assert trailers["sent"]
    assert await stub.join(parts(b"a", b"b")) == b"ab"
    assert await values(stub.echo(parts(*PIECES))) == PIECES
    assert len(await values(stub.many(1_000))) == 1_000  # 10 MB
    assert await stub.reverse(b"ab") == b"ba"


async def left_early(endpoint: Any) -> int:
    stub = Stub(endpoint)
    async with stub.many(1_000_000) as stream:
        await anext(stream)
    return len(await stub.reverse(b"the connection goes on"))


async def two_at_once(endpoint: Any) -> list[int]:
    stub, seen = Stub(endpoint), list[int]()
    async for number in stub.count(3):
        seen.append(number.value)
        seen += await numbers(stub.count(2))
    return seen


class StreamTests(Glued):
    def with_blocking(self, address: str, work: Callable[[Any], Coroutine[Any, Any, T]], **options: Any) -> Deferred[T]:
        def main() -> T:
            endpoint = blocking.Endpoint(address, **options)
            try:
                return run(work(endpoint))
            finally:
                run(endpoint.close())

        return deferToThread(main)

    async def each_with_each(
        self,
        work: Callable[[Any], Coroutine[Any, Any, T]],
        address: str = "127.0.0.1:0",
        server: Any = None,
        client: Any = None,
    ) -> list[T]:
        results: list[T] = []
        for number, serve in enumerate((self.serve_at, self.serve_under_asyncio)):
            bound = await serve(address.format(number), Served(), tls=server)
            results += [
                await self.with_twisted(bound, work, tls=client),
                await self.with_asyncio(bound, work, tls=client),
                await self.with_blocking(bound, work, tls=client),
            ]
        return results

    async def test_every_kind_over_every_glue(self) -> None:
        await self.each_with_each(every_kind)

    async def test_over_unix_sockets(self) -> None:
        await self.each_with_each(every_kind, f"unix:{self.folder}/socket-{{}}")

    async def test_over_mutual_tls(self) -> None:
        await self.each_with_each(every_kind, "127.0.0.1:0", *members(self.folder))

    async def test_a_stream_left_early_leaves_the_connection_usable(self) -> None:
        assert await self.each_with_each(left_early) == [22] * 6

    async def test_calls_between_the_messages_of_a_stream(self) -> None:
        assert await self.each_with_each(two_at_once) == [[0, 0, 1, 1, 0, 1, 2, 0, 1]] * 6

    async def test_a_loop_over_a_stream_without_a_loop(self) -> None:
        served = Served()
        address = await self.serve_at("127.0.0.1:0", served)

        def main() -> list[int]:
            endpoint = blocking.Endpoint(address)
            seen = []
            for reply in each(Channel(endpoint).server_stream(COUNT, COUNT.request(value=1_000_000))):
                seen.append(reply.value)
                if reply.value == 4:
                    break
            run(endpoint.close())
            return seen

        assert await deferToThread(main) == [0, 1, 2, 3, 4]
        await until(lambda: served.test.ended)

    async def test_requests_answer_replies_without_a_loop(self) -> None:
        """Each request is made from the reply before it."""
        address = await self.serve_at("127.0.0.1:0", Served())

        async def work(endpoint: Any) -> list[bytes]:
            seen = list[bytes]()

            def asked() -> Any:
                yield BytesValue(value=b"0")
                for number in range(1, 5):
                    yield BytesValue(value=b"%d" % number)

            async for reply in Stub(endpoint).echo(asked()):
                seen.append(reply.value)
            return seen

        assert await self.with_blocking(address, work) == [b"0", b"1", b"2", b"3", b"4"]

    async def test_a_deadline_ends_a_stream_without_a_loop(self) -> None:
        served = Served()
        served.test.pause = Deferred()
        address = await self.serve_at("127.0.0.1:0", served)

        async def work(endpoint: Any) -> RpcError:
            with pytest.raises(RpcError) as caught:
                await numbers(Stub(endpoint).count(3, Context(deadline=blocking.Clock().seconds() + 0.2)))
            return caught.value

        error = await self.with_blocking(address, work)
        assert error.status is Status.DEADLINE_EXCEEDED
        await until(lambda: served.test.ended)

    async def test_a_server_that_goes_away_lets_a_stream_finish(self) -> None:
        served = Served()
        server = await self.serve(served)
        served.test.pause = Deferred()
        reading = self.with_blocking(server.address, lambda endpoint: numbers(Stub(endpoint).count(3)))
        await until(lambda: server.in_flight)
        draining = Deferred.fromCoroutine(server.drain(5.0))
        pause, served.test.pause = served.test.pause, None
        reactor.callLater(0, pause.callback, None)
        assert await reading == [0, 1, 2]
        await draining
