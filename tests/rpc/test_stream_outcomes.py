"""Whatever order messages, ends, cancels, deadlines and the loss of the connection come in, a stream ends once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from recmesh.rpc import Context, RpcError, Status
from recmesh.rpc.session.memory import Pool
from recmesh.testing import Begun, MemoryTransport, Wire, begin
from tests.rpc.streams import Stub, Test, values

PIECE = b"x" * 60_000
STEPS = ["to the server", "to the client", "read", "write", "go on", "advance", "cancel", "cut", "drain", "shut"]


class Writer:
    """Requests that a test lets go, one at a time."""

    def __init__(self) -> None:
        self._gate: Deferred[bool] | None = None

    async def requests(self) -> AsyncIterator[BytesValue]:
        while True:
            self._gate = Deferred()
            if not await self._gate:
                return
            yield BytesValue(value=PIECE)

    def let(self, more: bool) -> None:
        gate, self._gate = self._gate, None
        if gate is not None and not gate.called:
            gate.callback(more)


class Play:
    """One call of each kind of stream, and a hand on everything that can happen to them."""

    def __init__(self) -> None:
        self.test = Test()
        self.test.piece = PIECE
        self.test.pause = Deferred()
        self.wire = Wire(self.test.handlers())
        self.wire.client._calls._pool = self.wire.client._calls._flow.pool = self.pool = Pool(1 << 40)
        self.wire.server._calls._pool = self.wire.server._calls._flow.pool = self.pool
        stub, now = Stub(self.wire.client), self.wire.clock.seconds()
        self.writers = [Writer(), Writer()]
        self.many = stub.many(40, Context(deadline=now + 3.0))
        self.echo = stub.echo(self.writers[0].requests(), Context(deadline=now + 1.0))
        self.reading: list[Begun[Any] | None] = [None, None]
        self.joining = begin(stub.join(self.writers[1].requests()))
        self.ended: list[str] = []

    def take(self, step: str, which: int) -> None:
        wire = self.wire
        match step:
            case "to the server":
                self._deliver(wire.up, wire.server)
            case "to the client":
                self._deliver(wire.down, wire.client)
            case "read":
                self._read(which)
            case "write":
                self.writers[which].let(True)
            case "go on":
                self.writers[which].let(False)
                self._release()
            case "advance":
                wire.clock.advance(0.6)
            case "cancel":
                reading = self.reading[which]
                if reading is not None:
                    reading.cancel()
            case "cut":
                wire.cut()
            case "drain" if not wire.server.ended:
                wire.server.drain(1.0)
            case "shut" if not wire.server.ended:
                wire.server.shut()

    def _deliver(self, source: MemoryTransport, end: Any) -> None:
        data = source.take()
        if data and not end.ended:
            end.data_received(data)

    def _read(self, which: int) -> None:
        reading = self.reading[which]
        if reading is None or reading.done:
            if reading is not None:
                self._note(reading)
            self.reading[which] = begin(anext((self.many, self.echo)[which]))

    def _note(self, begun: Begun[Any]) -> None:
        try:
            begun.result()
        except StopAsyncIteration:
            self.ended.append("end")
        except RpcError as error:
            allowed = {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED}
            assert error.status in allowed, error  # noqa: PT017
            self.ended.append(error.status.name)
        except BaseException as error:
            assert type(error).__name__ == "CancelledError", error  # noqa: PT017
            self.ended.append("cancelled")

    def _release(self) -> None:
        pause, self.test.pause = self.test.pause, None
        if pause is not None and not pause.called:
            pause.callback(None)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_every_stream_ends_exactly_once(steps: list[tuple[str, int]]) -> None:
    play = Play()
    wire = play.wire
    for step, which in steps:
        play.take(step, which)
    for writer in play.writers:
        writer.let(False)
    play._release()
    wire.move()
    wire.cut("the end")
    play._release()
    rest = [begin(values(stream)) for stream in (play.many, play.echo)]
    for each in [*play.reading, play.joining, *rest]:
        if each is not None and each.done:
            play._note(each)
    assert wire.client.in_flight == wire.server.in_flight == 0
    assert not wire.server._calls.busy and not wire.server._inboxes
    assert play.pool.held == 0 and not wire.clock.timers
