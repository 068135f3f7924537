"""The protocol of one connection, without any I/O: bytes become events, intentions become bytes.

Whoever owns the socket gives `receive` what it read, sends the data of every Reply, sends what the other methods
return, and `pull`s what waits as its socket takes more. Here is what both ends share: HELLO, PING, GOAWAY; how messages
are sent is in flow, how they are received in receiver; client is the end that opens calls, server the one that answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from recmesh.rpc import frames
from recmesh.rpc.frames import ACK, MAX_META, Frame, FrameReader, Limits, ProtocolError, encode
from recmesh.rpc.session.events import Broken, Event, GoingAway, Greeted, Ponged, Reply
from recmesh.rpc.session.flow import Flow, Parcel
from recmesh.rpc.session.memory import PROCESS, Pool
from recmesh.rpc.session.receiver import Receiver
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire

VERSION = 1
PING_SPACING = 5.0  # seconds; PINGs closer than this, with no call between, are strikes
PING_STRIKES = 3
NEVER = float("-inf")

M = TypeVar("M", bound=Message)


def parse(kind: type[M], meta: bytes) -> M:
    try:
        return kind.FromString(meta)
    except DecodeError as error:
        raise ProtocolError(f"malformed metadata: no {kind.DESCRIPTOR.name}") from error


class Session(Receiver):
    """One end of a connection."""

    __slots__ = (
        "_flow",
        "_last_ping",
        "_now",
        "_on",
        "_own_hello",
        "_peer_calls",
        "_peer_message",
        "_reader",
        "_strikes",
        "broken",
        "peer",
        "waiting",
    )

    def __init__(self, limits: Limits, node_id: str = "", build: str = "", pool: Pool = PROCESS) -> None:
        super().__init__(limits, pool)
        self.peer: wire.Hello | None = None
        self.broken = False
        self._own_hello = wire.Hello(
            version_min=VERSION,
            version_max=VERSION,
            max_frame=limits.max_frame,
            max_message=limits.max_message,
            max_concurrent_calls=limits.max_concurrent_calls,
            call_window=limits.call_window,
            connection_window=limits.connection_window,
            crc=limits.crc,
            node_id=node_id,
            build=build,
        )
        self._flow = Flow(pool)
        self.waiting: Mapping[int, object] = self._flow.lanes
        self._peer_message = frames.DEFAULT_MAX_MESSAGE
        self._peer_calls = frames.DEFAULT_MAX_CALLS
        self._reader = FrameReader(limits.max_frame)
        self._now = 0.0
        self._last_ping = NEVER
        self._strikes = 0
        self._on: dict[int, Callable[[int, int, bytes, bytes], None]] = {
            frames.HELLO: self._on_hello,
            frames.WINDOW: self._on_window,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
        }

    @property
    def held(self) -> int:
        """Bytes kept of frames and messages that are not complete."""
        return self._reader.held + self._partial_bytes

    @property
    def ready(self) -> bool:
        """Whether `pull` would give anything."""
        return self._flow.ready

    # What the owner of the connection wants sent.

    def hello(self) -> bytes:
        return encode(frames.HELLO, meta=self._own_hello.SerializeToString())

    def ping(self, payload: bytes) -> bytes:
        """`payload` is 8 bytes; it comes back in a Ponged."""
        return encode(frames.PING, payload=payload, crc=self._crc)

    def goaway(self, last_call_id: int, code: int = 0, reason: str = "", drain_ms: int = 0) -> bytes:
        goaway = wire.GoAway(last_call_id=last_call_id, code=code, reason=reason, drain_ms=drain_ms)
        return encode(frames.GOAWAY, meta=goaway.SerializeToString(), crc=self._crc)

    def fail(self, error: ProtocolError) -> bytes:
        """The GOAWAY for a peer that broke the protocol; from here on nothing is read."""
        self.broken = True
        return self.goaway(self._last_served(), error.code, error.reason)

    def pull(self, most: int) -> bytes:
        """What waits and may leave, as frames of different calls in turn: `most` bytes, or a frame more."""
        return self._flow.pull(most)

    def waits(self, call_id: int) -> bool:
        """Whether messages of a stream have not left yet: whoever has more should wait, not pile them up."""
        return self._flow.waits(call_id)

    def emptied(self) -> list[int]:
        """The streams that have nothing waiting any more, since this was asked last."""
        emptied = self._flow.emptied
        if emptied:
            self._flow.emptied = []
        return emptied

    def message(self, call_id: int, payload: bytes) -> bytes:
        """A message of a stream; what of it may leave at once. The rest, maybe all of it, is to be pulled."""
        if not self._flow.is_open(call_id):
            return b""
        return self._flow.put(call_id, Parcel(memoryview(payload)))

    def release(self) -> None:
        """The connection has ended: what it holds counts no more."""
        self._flow.clear()
        self._pool.held -= self._pooled
        self._pooled = 0
        self._pool = self._flow.pool = Pool(0)

    def took(self, call_id: int, size: int) -> bytes:
        """A message of `size` bytes was dealt with, and makes room for others: maybe there is credit to send."""
        self._hold(-size)
        credit = b""
        intake = self._intakes.get(call_id)
        if intake is not None:
            credit = self._window(call_id, intake.allowance.earn(size))
            intake.empties -= not size
        return credit + self._window(0, self._allowance.earn(size))

    # What the peer sent.

    def receive(self, data: bytes, now: float) -> list[Event]:
        """What `data`, read at `now` seconds, amounts to. Raises nothing: an error ends in GOAWAY and Broken."""
        events: list[Event] = []
        if self.broken:
            return events
        self._events, self._now = events, now
        handlers = self._on
        if self._frame:
            self._hold_frame(0)
        try:
            for kind, flags, call_id, meta, payload in self._split(data):
                if self.peer is None and kind != frames.HELLO:
                    raise ProtocolError(f"a frame of type {kind:#04x} before HELLO")
                handle = handlers.get(kind)
                if handle is not None:
                    handle(flags, call_id, meta, payload)
                elif not kind & frames.IGNORABLE:
                    raise ProtocolError(f"a frame of unknown type {kind:#04x}", Status.UNIMPLEMENTED)
            if self._reader.held:
                self._hold_frame(self._reader.held)
        except ProtocolError as error:
            events.append(Reply(self.fail(error)))
            events.append(Broken(error))
        return events

    def _split(self, data: bytes) -> Iterable[Frame]:
        return self._reader.feed(data)

    def _on_hello(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        _of_connection(call_id)
        if self.peer is not None:
            raise ProtocolError("a second HELLO")
        hello = parse(wire.Hello, meta)
        if not hello.version_min <= VERSION <= hello.version_max:
            reason = f"versions {hello.version_min} to {hello.version_max} are offered, {VERSION} is spoken here"
            raise ProtocolError(reason, Status.UNIMPLEMENTED)
        size = hello.max_frame or frames.DEFAULT_MAX_FRAME
        if size < MAX_META:
            raise ProtocolError(f"max_frame is {size}, too little for {MAX_META} bytes of metadata")
        self._peer_message = hello.max_message or frames.DEFAULT_MAX_MESSAGE
        self._peer_calls = hello.max_concurrent_calls or frames.DEFAULT_MAX_CALLS
        self._crc = hello.crc and self._limits.crc
        self.peer = hello
        self._events.append(Greeted(hello))
        self._flow.greeted(hello, self._crc)

    def _on_window(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        if len(payload) != 4:
            raise ProtocolError(f"a WINDOW of {len(payload)} bytes; it takes 4")
        credit = int.from_bytes(payload, "big")
        if not self._flow.credit(call_id, credit):
            self._credit_ahead(call_id, credit)

    def _on_ping(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        _of_connection(call_id)
        if len(payload) != 8:
            raise ProtocolError(f"a PING of {len(payload)} bytes; it takes 8")
        if flags & ACK:
            self._events.append(Ponged(payload))
            return
        if self._now - self._last_ping < PING_SPACING:
            self._strikes += 1
            if self._strikes == PING_STRIKES:
                raise ProtocolError("too_many_pings", Status.RESOURCE_EXHAUSTED)
        self._last_ping = self._now
        self._events.append(Reply(encode(frames.PING, payload=payload, flags=ACK, crc=self._crc)))

    def _on_goaway(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        _of_connection(call_id)
        goaway = parse(wire.GoAway, meta)
        self._events.append(GoingAway(goaway.code, goaway.reason, self._refused(goaway.last_call_id)))

    # For the two kinds of session.

    @property
    def last_id(self) -> int:
        """Of the calls on this connection, whichever end opens them; 0 before the first."""
        return 0

    def _last_served(self) -> int:
        """The largest id of a call that this end looked at."""
        return 0

    def _refused(self, last_call_id: int) -> tuple[int, ...]:
        """Forgets the calls of this end that a peer going away never looked at."""
        return ()

    def _credit_ahead(self, call_id: int, credit: int) -> None:
        """Keeps credit for a call whose message is not there yet; too late for any other call, it is of no use."""

    def _passed_on(self, size: int) -> None:
        """At once `_data_came` and `_done_with`: for a frame that holds a whole message, as most do."""
        self._strikes = 0
        self._last_ping = NEVER
        allowance = self._allowance
        allowance.left -= size
        allowance.due += size
        if allowance.due >= allowance.half:
            self._events.append(Reply(self._window(0, allowance.earn(0))))

    def _data_came(self, size: int) -> None:
        """A frame of a call, with `size` bytes of payload; PINGs before it are forgotten."""
        self._strikes = 0
        self._last_ping = NEVER
        self._allowance.left -= size


def _of_connection(call_id: int) -> None:
    if call_id:
        raise ProtocolError(f"call id {call_id} in a frame that concerns the connection; it takes 0")
