"""How much may be sent: the credit that the peer gave, and the messages that wait for more of it."""

from __future__ import annotations

from collections import OrderedDict

from recmesh.rpc import frames
from recmesh.rpc.frames import END_STREAM, MORE, encode
from recmesh.wire.v1 import wire_pb2 as wire

MOST_HELD = 64 << 20  # bytes waiting, sixteen of the largest messages: a peer that lets more pile up gives no credit


class Rest:
    """What was not sent yet of a message."""

    __slots__ = ("credit", "data", "kind", "meta")

    def __init__(self, data: memoryview, kind: int, meta: bytes, credit: int) -> None:
        self.data = data
        self.kind = kind  # of the last frame; those before are MESSAGEs
        self.meta = meta  # of the last frame
        self.credit = credit  # bytes that the peer takes for this call; below 0 when HELLO lowered its window


class Flow:
    """Cuts messages into frames and sends what the peer's windows allow; WINDOW lets the rest go, the oldest first.

    The oldest first, so that the peer holds few unfinished messages. Only payload counts: a frame without any passes
    always, so that a call is opened, ended or refused at any time.
    """

    def __init__(self) -> None:
        self.window = frames.DEFAULT_CONNECTION_WINDOW  # bytes that the peer takes for all calls; below 0 as above
        self.call_window = frames.DEFAULT_CALL_WINDOW
        self.max_frame = frames.DEFAULT_MAX_FRAME
        self.whole = min(self.max_frame, self.call_window)  # bytes of a frame that need no cut, whatever is in it
        self.crc = False
        self.waiting: dict[int, Rest] = {}
        self._ready: OrderedDict[int, Rest] = OrderedDict()  # those that only the connection's credit keeps
        self._held = 0

    @property
    def full(self) -> bool:
        """Whether so much waits that no other message may."""
        return self._held > MOST_HELD

    def greeted(self, hello: wire.Hello, crc: bool) -> bytes:
        """The peer's limits instead of the defaults, and the frames that they let go."""
        self.max_frame = min(hello.max_frame or frames.DEFAULT_MAX_FRAME, frames.CEILING_MAX_FRAME)
        call_window = hello.call_window or frames.DEFAULT_CALL_WINDOW
        for rest in self.waiting.values():
            rest.credit += call_window - self.call_window
        self._ready = OrderedDict((call_id, rest) for call_id, rest in self.waiting.items() if rest.credit > 0)
        self.window += (hello.connection_window or frames.DEFAULT_CONNECTION_WINDOW) - frames.DEFAULT_CONNECTION_WINDOW
        self.call_window = call_window
        self.whole = min(self.max_frame, call_window)
        self.crc = crc
        return self._flush()

    def open(self, call_id: int, header: bytes, payload: bytes) -> bytes:
        """The CALL at once, since ids must increase on the wire, with as much of the request as may go."""
        size = max(0, min(len(payload), self.max_frame - len(header), self.call_window, self.window))
        self.window -= size
        flags = MORE if size < len(payload) else END_STREAM
        call = encode(frames.CALL, call_id, header, memoryview(payload)[:size], flags, crc=self.crc)
        if size == len(payload):
            return call
        rest = memoryview(payload)[size:]
        return call + self.send(call_id, Rest(rest, frames.MESSAGE, b"", self.call_window - size))

    def send(self, call_id: int, rest: Rest) -> bytes:
        """The frames of a message that may go now; `credit` and the end of the call concern the others."""
        if not rest.data:
            return encode(rest.kind, call_id, rest.meta, flags=END_STREAM, crc=self.crc)
        self.waiting[call_id] = rest
        self._held += len(rest.data)
        return self.credit(call_id, 0)

    def credit(self, call_id: int, credit: int) -> bytes:
        """More credit, for the connection (0) or for a message that waits; the frames that it lets go."""
        if not call_id:
            self.window += credit
        else:
            rest = self.waiting[call_id]
            rest.credit += credit
            if rest.credit > 0:
                self._ready[call_id] = rest  # if it was ready already, it keeps its place
        return self._flush()

    def drop(self, call_id: int) -> None:
        """The call has ended: what waits of its message is not sent."""
        rest = self.waiting.pop(call_id, None)
        if rest is not None:
            self._held -= len(rest.data)
            self._ready.pop(call_id, None)

    def _flush(self) -> bytes:
        out: list[bytes] = []
        while self._ready and self.window > 0:
            call_id, rest = next(iter(self._ready.items()))
            size = min(len(rest.data), self.max_frame, rest.credit, self.window)
            piece, rest.data = rest.data[:size], rest.data[size:]
            self.window -= size
            rest.credit -= size
            self._held -= size
            out += self._frames(call_id, rest, piece)
            if not rest.data:
                del self.waiting[call_id], self._ready[call_id]
            elif rest.credit <= 0:
                del self._ready[call_id]
        return b"".join(out)

    def _frames(self, call_id: int, rest: Rest, piece: memoryview) -> list[bytes]:
        if rest.data:
            return [encode(frames.MESSAGE, call_id, payload=piece, flags=MORE, crc=self.crc)]
        if len(rest.meta) + len(piece) <= self.max_frame:
            return [encode(rest.kind, call_id, rest.meta, piece, END_STREAM, crc=self.crc)]
        before = encode(frames.MESSAGE, call_id, payload=piece, flags=MORE, crc=self.crc)
        return [before, encode(rest.kind, call_id, rest.meta, flags=END_STREAM, crc=self.crc)]
