"""The ends under test with all that a process adds: timers, deadlines, handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import StringValue
from twisted.internet.defer import Deferred

from recmesh.rpc import Channel, Context, Handlers, Kind, Method, RpcError, Status
from recmesh.rpc.connection.base import Connection
from recmesh.rpc.connection.client import ClientConnection
from recmesh.rpc.connection.server import ServerConnection
from recmesh.rpc.frames import Limits
from recmesh.testing import Begun, FakeClock, Loop, MemoryTransport, begin
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.ends import End

SAY = Method("/vectors.Words/Say", StringValue, StringValue)
JOIN = Method("/vectors.Words/Join", StringValue, StringValue, kind=Kind.CLIENT_STREAM)
SPELL = Method("/vectors.Words/Spell", StringValue, StringValue, kind=Kind.SERVER_STREAM)
ECHO = Method("/vectors.Words/Echo", StringValue, StringValue, kind=Kind.BIDI)


class Words:
    """The service of the vectors. Say answers with its request, but for some words."""

    def __init__(self, end: ServerProcess) -> None:
        self._end = end

    async def say(self, request: StringValue, context: Context) -> StringValue:
        word = request.value
        self._end.events.append({"event": "handler_began", "request": word})
        if word == "wait":
            await self._wait()
        elif word == "fail":
            raise KeyError("a secret")
        elif word == "refuse":
            detail = AnyMessage(type_url="type.googleapis.com/google.protobuf.StringValue", value=b"\x0a\x02no")
            raise RpcError(Status.NOT_FOUND, "no such word", pushback_ms=-1, details=(detail,), metadata={"why": "old"})
        elif word == "wrong":
            return AnyMessage()  # type: ignore[return-value]
        elif word in ("trailers", "many trailers"):
            assert context.trailers is not None
            context.trailers["shape-bin"] = b"\x00" * (9_000 if word == "many trailers" else 2)
        elif word == "long":
            return StringValue(value="x" * 100)
        return request

    async def _wait(self) -> None:
        try:
            await Deferred()
        except BaseException:
            self._end.events.append({"event": "handler_cancelled"})
            raise

    async def join(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        return StringValue(value=" ".join([each.value async for each in requests]))

    async def spell(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        for letter in request.value:
            yield StringValue(value=letter)

    async def echo(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        async for each in requests:
            yield each

    def handlers(self) -> Handlers:
        handlers = Handlers()
        handlers.add(SAY, self.say)
        handlers.add(JOIN, self.join)
        handlers.add(SPELL, self.spell)
        handlers.add(ECHO, self.echo)
        return handlers


class Process(End):
    """A connection on a clock that the steps move."""

    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.transport = MemoryTransport()
        self.loop: Any = Loop(self.clock)

    @property
    def closed(self) -> bool:
        return self.transport.closed or self.transport.aborted

    def receive(self, data: bytes, at: float) -> None:
        if not self.closed:
            self.connection.data_received(data)

    def settle(self) -> None:
        self.sent += self.transport.take()

    def do_wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def do_lose_the_connection(self) -> None:
        self.transport.abort()
        self.connection.connection_lost("reset by the peer")


class ServerProcess(Process):
    """Serves Words."""

    connection: ServerConnection

    def __init__(self, limits: Limits, process: int) -> None:
        super().__init__()
        handlers = Words(self).handlers()
        self.connection = ServerConnection(self.loop, self.transport, handlers, handlers, limits)

    def do_drain(self, seconds: float) -> None:
        self.connection.drain(seconds)

    def do_stop(self) -> None:
        self.connection.shut()

    def do_announce(self, serving: bool) -> None:
        self.connection.announce(serving, wire.LoadReport(utilization=0.5, limit=64, inflight=32))


class ClientProcess(Process):
    """Calls Say."""

    connection: ClientConnection

    def __init__(self, limits: Limits, process: int) -> None:
        super().__init__()
        self.begun: dict[int, Begun[StringValue]] = {}
        self.connection = ClientConnection(self.loop, self.transport, self, limits)
        self._channel = Channel(self.connection)

    def do_say(self, word: str, timeout: float | None = None) -> None:
        deadline = None if timeout is None else self.loop.seconds() + timeout
        work = begin(self._channel.call(SAY, StringValue(value=word), Context(deadline)))
        self.begun[len(self.begun) + 1] = work

    def do_stop(self) -> None:
        self.connection.shut()

    def settle(self) -> None:
        super().settle()
        for place in [place for place, work in self.begun.items() if work.done]:
            try:
                self.events.append({"event": "answered", "reply": self.begun.pop(place).result().value})
            except RpcError as error:
                self.failed(error)

    def leaving(self, connection: ClientConnection) -> None:
        """As the owner of the connection."""

    def lost(self, connection: ClientConnection, reason: str) -> None:
        """As the owner of the connection."""
