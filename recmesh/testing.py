"""The test kit: a clock the test moves, a scripted service, a connection in memory, frames by hand.

    clock = FakeClock()
    wire = Wire(handlers, clock=clock)
    asked = begin(GreeterStub(Channel(wire.client)).greet(request))
    wire.move()
    assert asked.result() == reply

Nothing here sleeps or opens a socket. Needs Twisted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from recmesh.rpc import frames, tx
from recmesh.rpc.call import Call, Filter, Handlers, stack
from recmesh.rpc.connection.base import Connection
from recmesh.rpc.connection.client import ClientConnection
from recmesh.rpc.connection.server import ServerConnection
from recmesh.rpc.frames import DEFAULTS, PREFACE, Frame, FrameReader, Limits, encode
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire

T = TypeVar("T")


class FakeClock(tx.Clock):
    """A recmesh.rpc.Clock that stands still until the test moves it; `reactor` is the task.Clock beneath."""

    def __init__(self) -> None:
        self.reactor = Clock()
        super().__init__(self.reactor)

    def advance(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    @property
    def timers(self) -> Sequence[IDelayedCall]:
        """What would still happen if time went on."""
        return self.reactor.getDelayedCalls()


class Begun(Generic[T]):
    """A coroutine on its way. What it awaits is moved on by the test: a clock, a wire, a Deferred."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._outcome: list[T | Failure] = []
        self._work = Deferred.fromCoroutine(work)
        self._work.addBoth(self._outcome.append)

    @property
    def done(self) -> bool:
        return bool(self._outcome)

    def result(self) -> T:
        """What it returned; raises what it raised, and AssertionError while it still waits."""
        assert self._outcome, "not finished: it waits for something that the test has not moved on"
        outcome = self._outcome[0]
        if isinstance(outcome, Failure):
            outcome.raiseException()
        return outcome

    def cancel(self) -> None:
        self._work.cancel()


def begin(work: Coroutine[Any, Any, T]) -> Begun[T]:
    """Runs a coroutine as far as it goes."""
    return Begun(work)


class Script:
    """A Service that gives the answers it was made with, one a call, and keeps the calls.

    A message is returned, an exception raised, a Deferred or other awaitable awaited, a function called with the call.
    """

    def __init__(self, *answers: Message | BaseException | Awaitable[Message] | Callable[[Call], Message]) -> None:
        self.calls: list[Call] = []
        self._answers = deque(answers)

    async def __call__(self, call: Call) -> Message:
        self.calls.append(call)
        assert self._answers, f"call {len(self.calls)}, of {call.method.path}, is one more than the script has answers"
        answer = self._answers.popleft()
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Message):
            return answer
        if isinstance(answer, Awaitable):
            return await answer
        return answer(call)


class MemoryTransport:
    """Keeps what a connection writes until the test takes it."""

    def __init__(self) -> None:
        self.most = 1 << 30  # bytes that it has room for; a test lowers it to be a socket that takes little
        self.written = bytearray()
        self.closed = False  # after what was written
        self.aborted = False
        self.on_room: Callable[[], object] = lambda: None

    @property
    def room(self) -> int:
        return max(0, self.most - len(self.written))

    def write(self, data: bytes) -> None:
        if not self.closed and not self.aborted:
            self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True
        self.written.clear()

    def take(self) -> bytes:
        data = bytes(self.written)
        self.written.clear()
        return data

    def take_more(self) -> None:
        """Lets what waits for room be written."""
        if not self.closed and not self.aborted:
            self.on_room()


class Loop(tx.Loop):
    """A FakeClock as the loop that owns a connection."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock.reactor)


class Wire:
    """A real client connection, which is a Service, and a real server connection, joined in memory."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        filters: Sequence[Filter] = (),
        clock: FakeClock | None = None,
        client_limits: Limits = DEFAULTS,
        server_limits: Limits = DEFAULTS,
    ) -> None:
        self.clock = clock or FakeClock()
        self.end = ""  # why the client saw the connection end
        self.up, self.down = MemoryTransport(), MemoryTransport()
        loop: Any = Loop(self.clock)
        self.client = ClientConnection(loop, self.up, self, client_limits, "client")
        service = stack(*filters, to=handlers)
        self.server = ServerConnection(
            loop, self.down, handlers, service, server_limits, node_id="server", caller="test"
        )

    def move(self) -> None:
        """Carries bytes both ways until none are left, then the end of the connection if an end has closed."""
        while self.up.written or self.down.written:
            self.hop()
        if any(each.closed or each.aborted for each in (self.up, self.down)):
            self.cut("closed")

    def hop(self) -> None:
        """Carries what is written to the server, and then what is written to the client."""
        self._carry(self.up, self.server, self.down)
        self._carry(self.down, self.client, self.up)

    def cut(self, reason: str = "cut") -> None:
        """Ends the connection for both ends; bytes on their way are lost."""
        if not self.client.ended:
            self.up.abort()
            self.down.abort()
            self.client.connection_lost(reason)
            self.server.connection_lost(reason)

    def _carry(self, source: MemoryTransport, to: Connection, back: MemoryTransport) -> None:
        data = source.take()
        if data and not back.closed and not back.aborted:
            to.data_received(data)
        source.take_more()

    def leaving(self, connection: ClientConnection) -> None:
        """As the owner of the client connection: it takes no more calls."""

    def lost(self, connection: ClientConnection, reason: str) -> None:
        """As the owner of the client connection: it has ended."""
        self.end = reason


def hello_frame(**fields: Any) -> bytes:
    """A HELLO of version 1; `fields` are those of wire.Hello."""
    return encode(frames.HELLO, meta=wire.Hello(**{"version_min": 1, "version_max": 1} | fields).SerializeToString())


def greeting(**fields: Any) -> bytes:
    """What a client opens with: the preface and HELLO."""
    return PREFACE + hello_frame(**fields)


def call_frame(
    call_id: int, method: str, payload: bytes = b"", *, flags: int = frames.END_STREAM, **fields: Any
) -> bytes:
    """A CALL; `fields` are those of wire.CallHeader."""
    return encode(frames.CALL, call_id, wire.CallHeader(method=method, **fields).SerializeToString(), payload, flags)


def status_frame(call_id: int, code: int = Status.OK, payload: bytes = b"", **fields: Any) -> bytes:
    """A STATUS; `fields` are those of wire.CallStatus."""
    status = wire.CallStatus(code=code, **fields)
    return encode(frames.STATUS, call_id, status.SerializeToString(), payload, frames.END_STREAM)


def message_frame(call_id: int, payload: bytes, flags: int = 0) -> bytes:
    return encode(frames.MESSAGE, call_id, payload=payload, flags=flags)


def cancel_frame(call_id: int, why: wire.Cancel.Why = wire.Cancel.CALLER) -> bytes:
    return encode(frames.CANCEL, call_id, wire.Cancel(why=why).SerializeToString())


def window_frame(credit: int, call_id: int = 0) -> bytes:
    return encode(frames.WINDOW, call_id, payload=credit.to_bytes(4, "big"))


def ping_frame(payload: bytes = b"12345678", *, ack: bool = False) -> bytes:
    return encode(frames.PING, payload=payload, flags=frames.ACK if ack else 0)


def goaway_frame(last_call_id: int, code: int = 0, reason: str = "") -> bytes:
    goaway = wire.GoAway(last_call_id=last_call_id, code=code, reason=reason)
    return encode(frames.GOAWAY, meta=goaway.SerializeToString())


def state_frame(serving: bool, **load: Any) -> bytes:
    """A STATE; `load`, where given, are fields of wire.LoadReport."""
    state = wire.PeerState(serving=serving, load=wire.LoadReport(**load) if load else None)
    return encode(frames.STATE, meta=state.SerializeToString())


def frames_of(data: bytes) -> list[Frame]:
    """The frames that `data`, after a preface if there is one, consists of."""
    return list(FrameReader(frames.CEILING_MAX_FRAME).feed(data.removeprefix(PREFACE)))
