"""The end of a connection that answers calls."""

from __future__ import annotations

from collections.abc import Iterable

from recmesh.rpc import frames
from recmesh.rpc.events import CallReceived, Reply, Withdrawn
from recmesh.rpc.frames import END_STREAM, MAX_CALL_ID, MORE, PREFACE, Frame, Limits, ProtocolError, encode
from recmesh.rpc.session import Fault, Partial, Session, parse
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire


class ServerSession(Session):
    """Takes calls, and carries their answers back.

    A call holds one of `max_concurrent_calls` slots from its first frame until its handler has ended, also when nobody
    waits for its answer any more.
    """

    def __init__(self, limits: Limits, node_id: str = "", build: str = "") -> None:
        super().__init__(limits, node_id, build)
        self._preface = PREFACE  # what is still to come of it
        self._last_id = 0
        self._last_taken = MAX_CALL_ID  # later calls are refused
        self._arriving: dict[int, Partial] = {}
        self._open: set[int] = set()  # with their handlers, unanswered
        self._ending: set[int] = set()  # nobody waits for the answer, the handler has not ended
        self._on[frames.CALL] = self._on_call
        self._on[frames.MESSAGE] = self._on_message
        self._on[frames.CANCEL] = self._on_cancel

    @property
    def busy(self) -> bool:
        return bool(self._open or self._arriving or self._ending)

    def status(self, call_id: int, status: wire.CallStatus, payload: bytes = b"") -> bytes:
        """Ends a call whose handler has ended. Nothing, if the caller has given it up."""
        self._ending.discard(call_id)
        if call_id not in self._open:
            return b""
        self._open.remove(call_id)
        if len(payload) > self._peer_message:
            message = f"the response is over the {self._peer_message} bytes that the caller accepts"
            status = wire.CallStatus(
                code=Status.RESOURCE_EXHAUSTED, message=message, processed=wire.YES, origin=wire.SERVER
            )
            payload = b""
        return self._status_frames(call_id, status, payload)

    def give_up(self, call_id: int, status: wire.CallStatus) -> bytes:
        """Answers a call whose handler still runs; it keeps its slot until `status` says that the handler has ended."""
        if call_id not in self._open:
            return b""
        self._open.remove(call_id)
        self._ending.add(call_id)
        return self._status_frames(call_id, status, b"")

    def drain(self, drain_ms: int) -> bytes:
        """The first of two GOAWAYs: the peer opens no more calls, and those on their way are still taken."""
        return self.goaway(MAX_CALL_ID, reason="drain", drain_ms=drain_ms)

    def refuse_later_calls(self, drain_ms: int) -> bytes:
        """The second GOAWAY: calls that have not arrived are refused."""
        self._last_taken = self._last_id
        return self.goaway(self._last_id, reason="drain", drain_ms=drain_ms)

    def _status_frames(self, call_id: int, status: wire.CallStatus, payload: bytes) -> bytes:
        meta = status.SerializeToString()
        if len(meta) + len(payload) <= self._peer_frame:
            return encode(frames.STATUS, call_id, meta, payload, END_STREAM, crc=self._crc)
        pieces, last = self._pieces(payload, self._peer_frame - len(meta))
        out = [encode(frames.MESSAGE, call_id, payload=piece, flags=MORE, crc=self._crc) for piece in pieces]
        out.append(encode(frames.STATUS, call_id, meta, last, END_STREAM, crc=self._crc))
        return b"".join(out)

    def _split(self, data: bytes) -> Iterable[Frame]:
        if self._preface:
            came, data = data[: len(self._preface)], data[len(self._preface) :]
            if not self._preface.startswith(came):
                raise ProtocolError("the first bytes are not the preface of this protocol")
            self._preface = self._preface[len(came) :]
        return super()._split(data)

    def _last_served(self) -> int:
        return min(self._last_id, self._last_taken)

    def _on_call(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        self._data_came(len(payload))
        if call_id <= self._last_id or not call_id & 1 or call_id > MAX_CALL_ID:
            raise ProtocolError(f"a CALL of id {call_id} after {self._last_id}; ids are odd and increase, below 2^31")
        self._last_id = call_id
        header = parse(wire.CallHeader, meta)
        taken = len(self._open) + len(self._arriving) + len(self._ending)
        if call_id > self._last_taken or taken >= self._limits.max_concurrent_calls or header.kind != wire.UNARY:
            self._refuse(call_id, self._why_unwelcome(call_id, header))
        elif flags & (END_STREAM | MORE) == END_STREAM and len(payload) <= self._limits.max_message:
            self._open.add(call_id)
            self._events.append(CallReceived(call_id, header, payload, self._now))
        else:
            self._arriving[call_id] = Partial(header, self._now)
            self._on_piece(call_id, flags, payload)

    def _why_unwelcome(self, call_id: int, header: wire.CallHeader) -> Fault:
        if call_id > self._last_taken:
            return Status.UNAVAILABLE, "the server is going away"
        if header.kind != wire.UNARY:
            return Status.UNIMPLEMENTED, "only unary calls are served here"
        return Status.UNAVAILABLE, f"{self._limits.max_concurrent_calls} calls are running on this connection"

    def _on_message(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        self._data_came(len(payload))
        self._check_seen(call_id)
        if call_id in self._arriving:
            self._on_piece(call_id, flags, payload)

    def _on_piece(self, call_id: int, flags: int, payload: bytes) -> None:
        partial = self._arriving[call_id]
        fault = self._gather(partial, flags, payload)
        if fault is None and not flags & END_STREAM:
            return
        del self._arriving[call_id]
        self._forget(partial)
        if fault is not None:
            self._refuse(call_id, fault)
        elif partial.header is not None:
            self._open.add(call_id)
            self._events.append(CallReceived(call_id, partial.header, bytes(partial.data), partial.since))

    def _on_cancel(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        why = parse(wire.Cancel, meta).why
        self._check_seen(call_id)
        self._forget(self._arriving.pop(call_id, None))
        if call_id in self._open:
            self._open.remove(call_id)
            self._ending.add(call_id)
            self._events.append(Withdrawn(call_id, why))

    def _check_seen(self, call_id: int) -> None:
        if call_id > self._last_id or not call_id & 1:
            raise ProtocolError(f"a frame for call {call_id}, which was never opened")

    def _refuse(self, call_id: int, fault: Fault) -> None:
        status = wire.CallStatus(code=fault[0], message=fault[1], processed=wire.REFUSED, origin=wire.SERVER)
        self._events.append(Reply(self._status_frames(call_id, status, b"")))
