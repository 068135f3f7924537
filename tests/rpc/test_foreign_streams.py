"""A client that is written from the protocol's document alone sends and takes streams, and counts credit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from recmesh.rpc import Context, Handlers, Kind, Method
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.foreign import CALL, CANCEL, END, GOAWAY, HELLO, MESSAGE, MORE, STATUS, Client, Frame, status
from tests.rpc.kit import Loopback, until


def text(value: str) -> bytes:
    return StringValue(value=value).SerializeToString()


class Letters:
    """A service of each kind of stream, and one that reads nothing."""

    async def count(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        return StringValue(value=" ".join([str(len(each.value)) async for each in requests]))

    async def spell(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        for letter in request.value:
            yield StringValue(value=letter)

    async def echo(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        async for each in requests:
            yield each

    async def stall(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        await Deferred()
        return StringValue()

    def handlers(self) -> Handlers:
        handlers = Handlers()
        for name, handler, kind in (
            ("Count", self.count, Kind.CLIENT_STREAM),
            ("Spell", self.spell, Kind.SERVER_STREAM),
            ("Echo", self.echo, Kind.BIDI),
            ("Stall", self.stall, Kind.CLIENT_STREAM),
        ):
            handlers.add(Method(f"/a.Letters/{name}", StringValue, StringValue, kind=kind), handler)
        return handlers


def header(name: str, kind: wire.Cardinality) -> wire.CallHeader:
    return wire.CallHeader(method=f"/a.Letters/{name}", kind=kind)


class ForeignStreamTests(Loopback):
    async def talk(self, work: Callable[[Client], object], crc: bool = False, **hello: int) -> None:
        service: Any = Letters()
        server = await self.serve(service)

        def main() -> None:
            client = Client(server.address, crc, **hello)
            try:
                assert client.read().kind == HELLO
                work(client)
            finally:
                client.close()

        await deferToThread(main)
        await until(lambda: not server.connections)

    async def test_each_kind_of_stream(self) -> None:
        def work(client: Client) -> None:
            client.send(CALL, 1, header("Count", wire.CLIENT_STREAM), text("the first"))
            client.send(MESSAGE, 1, None, b"")  # an empty message is one
            client.send(MESSAGE, 1, None, text("the last")[:3], MORE)
            client.send(MESSAGE, 1, None, text("the last")[3:], END)
            answer = client.read()
            assert status(answer).code == 0 and answer.payload == text("9 0 8")
            client.send(CALL, 3, header("Spell", wire.SERVER_STREAM), text("abc"), END)
            frames = [client.read() for _ in range(4)]
            assert [frame.kind for frame in frames] == [MESSAGE, MESSAGE, MESSAGE, STATUS]
            assert b"".join(frame.payload for frame in frames) == text("a") + text("b") + text("c")
            client.send(CALL, 5, header("Echo", wire.BIDI))
            for word in ("one", "", "two"):
                client.send(MESSAGE, 5, None, text(word))
                echoed = client.read()
                assert (echoed.kind, echoed.call, echoed.flags, echoed.payload) == (MESSAGE, 5, 0, text(word))
            client.send(MESSAGE, 5, None, b"", END)  # the end is none
            assert status(client.read()).code == 0

        await self.talk(work)

    async def test_messages_far_over_the_windows_go_with_credit(self) -> None:
        """The client counts from the defaults, which are what the server announces."""

        def work(client: Client) -> None:
            sizes = [600_000, 0, 100_000, 4_000_000, 1, *[300_000] * 10]
            client.send(CALL, 1, header("Count", wire.CLIENT_STREAM))
            for size in sizes:
                client.send_message(1, text("x" * size))
            client.send(MESSAGE, 1, None, b"", END)
            answer = client.read()
            assert status(answer).code == 0
            assert answer.payload == text(" ".join(map(str, sizes)))

        await self.talk(work, crc=True)

    async def test_the_server_sends_no_more_than_it_was_given(self) -> None:
        def work(client: Client) -> None:
            client.send(CALL, 1, header("Spell", wire.SERVER_STREAM), text("x" * 3_000), END)
            client.send(CALL, 3, header("Spell", wire.SERVER_STREAM), text("y" * 3_000), END)
            left, taken, came = {0: 1_500, 1: 1_000, 3: 1_000}, {0: 0, 1: 0, 3: 0}, {1: b"", 3: b""}
            open_calls = {1, 3}
            while open_calls:
                frame = client.read()
                came[frame.call] += frame.payload
                for each in (0, frame.call):
                    left[each] -= len(frame.payload)
                    taken[each] += len(frame.payload)
                    assert left[each] >= 0
                    if taken[each] >= 500:
                        client.give(each, taken[each])
                        left[each] += taken[each]
                        taken[each] = 0
                if frame.kind == STATUS:
                    assert status(frame).code == 0
                    open_calls.remove(frame.call)
            assert came == {1: text("x") * 3_000, 3: text("y") * 3_000}

        await self.talk(work, call_window=1_000, connection_window=1_500)

    async def test_an_overrun_ends_its_call_and_a_second_one_the_connection(self) -> None:
        def work(client: Client) -> None:
            for call in (1, 3):
                client.send(CALL, call, header("Stall", wire.CLIENT_STREAM))
                for _ in range(4):
                    client.send(MESSAGE, call, None, b"x" * 65_536)
                client.send(MESSAGE, call, None, b"y")
                frame = client.read()
                if call == 1:
                    ended = status(frame)
                    assert (ended.code, ended.processed) == (8, wire.YES)
            assert frame.kind == GOAWAY and wire.GoAway.FromString(frame.meta).code == 8

        await self.talk(work)

    async def test_leaving_a_stream_cancels_it_and_the_connection_goes_on(self) -> None:
        def work(client: Client) -> None:
            client.send(CALL, 1, header("Spell", wire.SERVER_STREAM), text("x" * 10_000), END)
            assert client.read().call == 1
            client.send(CANCEL, 1, wire.Cancel(why=wire.Cancel.CALLER))
            client.send(CALL, 3, header("Spell", wire.SERVER_STREAM), text("y"), END)
            frames: list[Frame] = []
            while not frames or frames[-1].kind != STATUS:
                frames.append(client.read())
            assert all(frame.kind == MESSAGE for frame in frames[:-1])
            assert [frame.payload for frame in frames if frame.call == 3] == [text("y"), b""]
            assert frames[-1].call == 3

        await self.talk(work, call_window=300)
