"""The end of a connection that answers calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from recmesh.rpc import frames
from recmesh.rpc.events import CallReceived, Reply, Withdrawn
from recmesh.rpc.flow import Rest
from recmesh.rpc.frames import END_STREAM, MAX_CALL_ID, MORE, PREFACE, Frame, Limits, ProtocolError, encode
from recmesh.rpc.session import Fault, Partial, Session, parse
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire


class ServerSession(Session):
    """Takes calls, and carries their answers back.

    A call holds one of `max_concurrent_calls` slots from its first frame until its handler has ended, also when nobody
    waits for its answer any more, and until its answer has left.
    """

    def __init__(self, limits: Limits, node_id: str = "", build: str = "") -> None:
        super().__init__(limits, node_id, build)
        self._preface = PREFACE  # what is still to come of it
        self._last_id = 0
        self._last_taken = MAX_CALL_ID  # later calls are refused
        self._arriving: dict[int, Partial] = {}
        self._open: dict[int, int] = {}  # with their handlers, unanswered; and the credit given ahead for the answer
        self._ending: set[int] = set()  # nobody waits for the answer, the handler has not ended
        self._on[frames.CALL] = self._on_call
        self._on[frames.MESSAGE] = self._on_message
        self._on[frames.CANCEL] = self._on_cancel

    @property
    def last_id(self) -> int:
        return self._last_id

    @property
    def busy(self) -> bool:
        return bool(self._open or self._arriving or self._ending or self._flow.waiting)

    @property
    def unsent(self) -> Mapping[int, object]:
        """By id, answers that the peer has given too little credit for."""
        return self._flow.waiting

    def status(self, call_id: int, status: wire.CallStatus, payload: bytes = b"") -> bytes:
        """Ends a call whose handler has ended. Nothing, if the caller has given it up."""
        self._ending.discard(call_id)
        ahead = self._open.pop(call_id, None)
        if ahead is None:
            return b""
        if len(payload) > self._peer_message:
            message = f"the response is over the {self._peer_message} bytes that the caller accepts"
            status, payload = _unsendable(message), b""
        return self._status_frames(call_id, status, payload, ahead)

    def give_up(self, call_id: int, status: wire.CallStatus) -> bytes:
        """Answers, in place of its handler, a call that still runs or whose answer could not leave.

        One that runs keeps its slot until `status` says that the handler has ended.
        """
        if call_id in self._flow.waiting:
            self._flow.drop(call_id)
        elif self._open.pop(call_id, None) is not None:
            self._ending.add(call_id)
        else:
            return b""
        return self._status_frames(call_id, status, b"")

    def drain(self, drain_ms: int) -> bytes:
        """The first of two GOAWAYs: the peer opens no more calls, and those on their way are still taken."""
        return self.goaway(MAX_CALL_ID, reason="drain", drain_ms=drain_ms)

    def refuse_later_calls(self, drain_ms: int) -> bytes:
        """The second GOAWAY: calls that have not arrived are refused."""
        self._last_taken = self._last_id
        return self.goaway(self._last_id, reason="drain", drain_ms=drain_ms)

    def _status_frames(self, call_id: int, status: wire.CallStatus, payload: bytes, ahead: int = 0) -> bytes:
        meta, size, flow = status.SerializeToString(), len(payload), self._flow
        if len(meta) + size <= flow.whole and (size <= flow.window or not size):
            flow.window -= size
            return encode(frames.STATUS, call_id, meta, payload, END_STREAM, crc=self._crc)
        if size and flow.full:
            message = "too many answers wait until the caller takes more bytes"
            meta, payload = _unsendable(message).SerializeToString(), b""
        return flow.send(call_id, Rest(memoryview(payload), frames.STATUS, meta, flow.call_window + ahead))

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
        taken = len(self._open) + len(self._arriving) + len(self._ending) + len(self._flow.waiting)
        if call_id > self._last_taken or taken >= self._limits.max_concurrent_calls or header.kind != wire.UNARY:
            self._refuse(call_id, self._why_unwelcome(call_id, header))
        elif flags & (END_STREAM | MORE) == END_STREAM and len(payload) <= self._limits.max_message:
            self._open[call_id] = 0
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
            self._open[call_id] = partial.credit
            self._events.append(CallReceived(call_id, partial.header, bytes(partial.data), partial.since))

    def _on_cancel(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        why = parse(wire.Cancel, meta).why
        self._check_seen(call_id)
        self._forget(self._arriving.pop(call_id, None))
        self._flow.drop(call_id)
        if self._open.pop(call_id, None) is not None:
            self._ending.add(call_id)
            self._events.append(Withdrawn(call_id, why))

    def _credit_ahead(self, call_id: int, credit: int) -> None:
        self._check_seen(call_id)
        if call_id in self._open:
            self._open[call_id] += credit
        elif call_id in self._arriving:
            self._arriving[call_id].credit += credit

    def _check_seen(self, call_id: int) -> None:
        if call_id > self._last_id or not call_id & 1:
            raise ProtocolError(f"a frame for call {call_id}, which was never opened")

    def _refuse(self, call_id: int, fault: Fault) -> None:
        status = wire.CallStatus(code=fault[0], message=fault[1], processed=wire.REFUSED, origin=wire.SERVER)
        self._events.append(Reply(self._status_frames(call_id, status, b"")))


def _unsendable(message: str) -> wire.CallStatus:
    """In place of the status of a call whose answer the peer does not take."""
    return wire.CallStatus(code=Status.RESOURCE_EXHAUSTED, message=message, processed=wire.YES, origin=wire.SERVER)
