"""The end of a connection that opens calls."""

from __future__ import annotations

from recmesh.rpc import frames
from recmesh.rpc.events import Reply, StatusReceived, Withdrawn
from recmesh.rpc.frames import END_STREAM, MAX_CALL_ID, MAX_META, MORE, PREFACE, Limits, ProtocolError, encode
from recmesh.rpc.session import Fault, Partial, Session, parse
from recmesh.rpc.status import Origin, Processed, RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire


class ClientSession(Session):
    """Opens calls, and matches what comes back to them."""

    def __init__(self, limits: Limits, node_id: str = "", build: str = "") -> None:
        super().__init__(limits, node_id, build)
        self.leaving = False  # the peer takes no more calls
        self._next_id = 1
        self._open: dict[int, Partial | None] = {}
        self._on[frames.STATUS] = self._on_status
        self._on[frames.MESSAGE] = self._on_message
        self._on[frames.CANCEL] = self._on_cancel

    @property
    def last_id(self) -> int:
        return max(0, self._next_id - 2)

    @property
    def takes_calls(self) -> bool:
        return not (self.leaving or self.broken) and self._next_id <= MAX_CALL_ID

    def hello(self) -> bytes:
        return PREFACE + super().hello()

    def call(self, header: bytes, payload: bytes) -> tuple[int, bytes]:
        """The id of a new call of a serialised CallHeader, and its frames. RpcError, if the peer would not take it."""
        if len(header) > MAX_META or len(payload) > self._peer_message or len(self._open) >= self._peer_calls:
            raise self._why_unsendable(header, payload)
        if not self.takes_calls:
            raise unsent(Status.UNAVAILABLE, "this connection takes no more calls")
        size, flow = len(payload), self._flow
        whole = len(header) + size <= flow.whole and size <= flow.window
        if not whole and flow.full:
            raise unsent(Status.RESOURCE_EXHAUSTED, "too many requests wait until the server takes more bytes")
        call_id = self._next_id
        self._next_id += 2
        self._open[call_id] = None
        if not whole:
            return call_id, flow.open(call_id, header, payload)
        flow.window -= size
        return call_id, encode(frames.CALL, call_id, header, payload, END_STREAM, crc=self._crc)

    def cancel(self, call_id: int, why: wire.Cancel.Why) -> bytes:
        """Nothing, if the call has ended already. Whatever still comes for it is dropped."""
        if call_id not in self._open:
            return b""
        self._close(call_id)
        meta = wire.Cancel(why=why).SerializeToString()
        return encode(frames.CANCEL, call_id, meta, crc=self._crc)

    def _why_unsendable(self, header: bytes, payload: bytes) -> RpcError:
        if len(header) > MAX_META:
            return unsent(Status.RESOURCE_EXHAUSTED, f"the call's metadata is over {MAX_META} bytes")
        if len(payload) > self._peer_message:
            message = f"the request is over the {self._peer_message} bytes that the server accepts"
            return unsent(Status.RESOURCE_EXHAUSTED, message)
        return unsent(Status.UNAVAILABLE, f"{self._peer_calls} calls are open on this connection, as many as it takes")

    def _is_open(self, call_id: int) -> bool:
        """Whether anyone still waits for it; an id that was never used is an error."""
        if call_id in self._open:
            return True
        if call_id >= self._next_id or not call_id & 1:
            raise ProtocolError(f"a frame for call {call_id}, which was never opened")
        return False

    def _on_status(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        self._data_came(len(payload))
        status = parse(wire.CallStatus, meta)
        if flags & MORE:
            raise ProtocolError("a STATUS that goes on in another frame")
        if not self._is_open(call_id):
            return
        partial = self._open[call_id]
        if partial is not None or len(payload) > self._limits.max_message:
            partial = self._open[call_id] = partial or Partial()
            fault = self._gather(partial, flags, payload)
            if fault is not None and not status.code:
                status = _unusable(fault)
            payload = bytes(partial.data)
        self._close(call_id)
        self._events.append(StatusReceived(call_id, status, payload))

    def _on_message(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        self._data_came(len(payload))
        if not self._is_open(call_id):
            return
        partial = self._open[call_id]
        if partial is None:
            partial = self._open[call_id] = Partial()
        fault = self._gather(partial, flags, payload)
        if fault is not None:
            self._events.append(Reply(self.cancel(call_id, wire.Cancel.CALLER)))
            self._events.append(StatusReceived(call_id, _unusable(fault), b""))

    def _on_cancel(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        why = parse(wire.Cancel, meta).why
        if self._is_open(call_id):
            self._close(call_id)
            self._events.append(Withdrawn(call_id, why))

    def _close(self, call_id: int) -> None:
        partial = self._open.pop(call_id)
        if partial is not None:
            self._forget(partial)
        if self._flow.waiting:
            self._flow.drop(call_id)

    def _credit_ahead(self, call_id: int, credit: int) -> None:
        self._is_open(call_id)  # its request has left already

    def _refused(self, last_call_id: int) -> tuple[int, ...]:
        self.leaving = True
        refused = tuple(call_id for call_id in self._open if call_id > last_call_id)
        for call_id in refused:
            self._close(call_id)
        return refused


def unsent(status: Status, message: str) -> RpcError:
    return RpcError(status, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)


def _unusable(fault: Fault) -> wire.CallStatus:
    """In place of the status of a call whose response cannot be taken."""
    return wire.CallStatus(code=fault[0], message=f"the response: {fault[1]}", processed=wire.YES, origin=wire.CLIENT)
