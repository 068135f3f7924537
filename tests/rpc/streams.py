"""A service of every kind of call, and its stub, for the tests of streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue, Int32Value
from twisted.internet.defer import Deferred

from recmesh.rpc import Channel, Context, Handlers, Kind, Many, Method, RpcError, Status, Stream

COUNT = Method("/test.Test/Count", Int32Value, Int32Value, kind=Kind.SERVER_STREAM)
JOIN = Method("/test.Test/Join", BytesValue, BytesValue, kind=Kind.CLIENT_STREAM)
ECHO = Method("/test.Test/Echo", BytesValue, BytesValue, kind=Kind.BIDI)
REVERSE = Method("/test.Test/Reverse", BytesValue, BytesValue)
MANY = Method("/test.Test/Many", Int32Value, BytesValue, kind=Kind.SERVER_STREAM)


class Test:
    """Counts, joins, echoes and reverses; keeps what it was asked, and pauses where a test wants."""

    __test__ = False

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        self.pause: Deferred[None] | None = None  # awaited by every handler before it goes on
        self.got: list[bytes] = []
        self.sent = 0
        self.ended = 0
        self.fail_after = -1
        self.reads = True
        self.discards = False
        self.piece = b"x" * 10_000

    async def count(self, request: Int32Value, context: Context) -> AsyncIterator[Int32Value]:
        self.contexts.append(context)
        try:
            for number in range(request.value):
                await self._pause()
                if number == self.fail_after:
                    raise RpcError(Status.ABORTED, "enough", metadata={"after": str(number)})
                self.sent += 1
                yield Int32Value(value=number)
            assert context.trailers is not None
            context.trailers["sent"] = str(self.sent)
        finally:
            self.ended += 1

    async def many(self, request: Int32Value, context: Context) -> AsyncIterator[BytesValue]:
        try:
            for _ in range(request.value):
                self.sent += 1
                yield BytesValue(value=self.piece)
        finally:
            self.ended += 1

    async def join(self, requests: AsyncIterator[BytesValue], context: Context) -> BytesValue:
        self.contexts.append(context)
        got = list[bytes]()
        try:
            await self._pause()
            if self.reads:
                async for each in requests:
                    got.append(b"" if self.discards else each.value)
            self.got += got
            return BytesValue(value=b"".join(got))
        finally:
            self.ended += 1

    async def echo(self, requests: AsyncIterator[BytesValue], context: Context) -> AsyncIterator[BytesValue]:
        try:
            async for each in requests:
                await self._pause()
                self.got.append(each.value)
                yield each
        finally:
            self.ended += 1

    async def reverse(self, request: BytesValue, context: Context) -> BytesValue:
        await self._pause()
        return BytesValue(value=request.value[::-1])

    async def _pause(self) -> None:
        if self.pause is not None:
            await self.pause

    def handlers(self) -> Handlers:
        handlers = Handlers()
        handlers.add(COUNT, self.count)
        handlers.add(MANY, self.many)
        handlers.add(JOIN, self.join)
        handlers.add(ECHO, self.echo)
        handlers.add(REVERSE, self.reverse)
        return handlers


class Stub:
    """Calls it."""

    def __init__(self, service: Any) -> None:
        self._channel = Channel(service)

    def count(self, to: int, context: Context | None = None) -> Stream[Int32Value]:
        return self._channel.server_stream(COUNT, Int32Value(value=to), context)

    def many(self, pieces: int, context: Context | None = None) -> Stream[BytesValue]:
        return self._channel.server_stream(MANY, Int32Value(value=pieces), context)

    async def join(self, parts: Many[BytesValue], context: Context | None = None) -> bytes:
        return (await self._channel.client_stream(JOIN, parts, context)).value

    def echo(self, parts: Many[BytesValue], context: Context | None = None) -> Stream[BytesValue]:
        return self._channel.bidi(ECHO, parts, context)

    async def reverse(self, data: bytes, context: Context | None = None) -> bytes:
        return (await self._channel.call(REVERSE, BytesValue(value=data), context)).value


def parts(*values: bytes) -> list[BytesValue]:
    return [BytesValue(value=value) for value in values]


async def numbers(stream: Stream[Int32Value]) -> list[int]:
    return [each.value async for each in stream]


async def values(stream: Stream[BytesValue]) -> list[bytes]:
    return [each.value async for each in stream]
