"""The end of a connection that opens calls."""

from __future__ import annotations

from recmesh.rpc import frames
from recmesh.rpc.call import Kind
from recmesh.rpc.frames import END_STREAM, MAX_CALL_ID, MAX_META, MORE, PREFACE, Limits, ProtocolError, encode
from recmesh.rpc.session.base import Session, parse
from recmesh.rpc.session.events import MessageReceived, Reply, StateReceived, StatusReceived, Withdrawn
from recmesh.rpc.session.flow import Parcel
from recmesh.rpc.session.intake import Intake
from recmesh.rpc.session.memory import PROCESS, Pool
from recmesh.rpc.session.receiver import Fault
from recmesh.rpc.status import Origin, Processed, RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire

UNKNOWN = Intake(0)  # of a call that is not open


class ClientSession(Session):
    """Opens calls, and matches what comes back to them."""

    __slots__ = ("_next_id", "_open", "leaving")

    def __init__(self, limits: Limits, node_id: str = "", build: str = "", pool: Pool = PROCESS) -> None:
        super().__init__(limits, node_id, build, pool)
        self.leaving = False  # the peer takes no more calls
        self._next_id = 1
        self._open: dict[int, Intake | None] = {}
        self._on[frames.STATUS] = self._on_status
        self._on[frames.MESSAGE] = self._on_message
        self._on[frames.CANCEL] = self._on_cancel
        self._on[frames.STATE] = self._on_state

    @property
    def last_id(self) -> int:
        return max(0, self._next_id - 2)

    @property
    def takes_calls(self) -> bool:
        return not (self.leaving or self.broken) and self._next_id <= MAX_CALL_ID

    def hello(self) -> bytes:
        return PREFACE + super().hello()

    def call(self, header: bytes, payload: bytes, kind: int = Kind.UNARY) -> tuple[int, bytes]:
        """The id of a new call of a serialised CallHeader, and what may leave of it at once.

        One that asks with a stream is opened without a message, which `message` and `end` send. RpcError, if the peer
        would not take the call.
        """
        if len(header) > MAX_META or len(payload) > self._peer_message or len(self._open) >= self._peer_calls:
            raise self._why_unsendable(header, payload)
        call_id = self._next_id
        if self.leaving or self.broken or call_id > MAX_CALL_ID:
            raise unsent(Status.UNAVAILABLE, "this connection takes no more calls")
        size, flow = len(payload), self._flow
        whole = len(header) + size <= flow.whole and size <= flow.window
        if not whole and flow.full:
            raise unsent(Status.RESOURCE_EXHAUSTED, "too many requests wait until the server takes more bytes")
        self._next_id = call_id + 2
        self._open[call_id] = None
        if kind and self._begin_stream(call_id, kind):
            return call_id, encode(frames.CALL, call_id, header, crc=self._crc)
        if not whole:
            return call_id, flow.begin(call_id, header, payload)
        flow.window -= size
        return call_id, encode(frames.CALL, call_id, header, payload, END_STREAM, crc=self._crc)

    def end(self, call_id: int) -> bytes:
        """No more messages of a call that asks with a stream."""
        if not self._flow.is_open(call_id):
            return b""
        return self._flow.put(call_id, Parcel(memoryview(b""), flags=END_STREAM))

    def cancel(self, call_id: int, why: wire.Cancel.Why) -> bytes:
        """Nothing, if the call has ended already. Whatever still comes for it is dropped."""
        if call_id not in self._open:
            return b""
        self._close(call_id)
        meta = wire.Cancel(why=why).SerializeToString()
        return encode(frames.CANCEL, call_id, meta, crc=self._crc)

    def check_size(self, payload: bytes) -> None:
        """RpcError for a message of a stream that the server does not take."""
        if len(payload) > self._peer_message:
            message = f"a request is over the {self._peer_message} bytes that the server accepts"
            raise RpcError(Status.RESOURCE_EXHAUSTED, message, processed=Processed.MAYBE, origin=Origin.CLIENT)

    def _begin_stream(self, call_id: int, kind: int) -> bool:
        """Whether requests follow the CALL."""
        if kind & Kind.SERVER_STREAM:
            self._open[call_id] = self._intakes[call_id] = Intake(self._limits.call_window, many=True)
        if kind & Kind.CLIENT_STREAM:
            self._flow.open(call_id)
        return bool(kind & Kind.CLIENT_STREAM)

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
        size = len(payload)
        status = parse(wire.CallStatus, meta)
        whole = not flags & MORE and not status.code and size <= self._most_whole and size <= self._allowance.left
        if whole and self._open.get(call_id, UNKNOWN) is None:
            self._passed_on(size)
            self._close(call_id)
            self._events.append(StatusReceived(call_id, status, payload))
            return
        self._data_came(size)
        if flags & MORE:
            raise ProtocolError("a STATUS that goes on in another frame")
        if not (call_id in self._open or self._is_open(call_id)):
            self._done_with(size)
            return
        intake = self._open[call_id]
        if status.code:  # whatever came of a message is no message
            self._done_with(size)
            payload = b""
        elif intake is None and (not size or (size <= self._most_whole and self._allowance.left >= 0)):
            self._done_with(size)
        else:
            intake = self._open[call_id] = intake or Intake(self._limits.call_window)
            fault = self._gather(call_id, intake, END_STREAM, payload)
            if fault is not None:
                status = _unusable(fault)
            payload = b"" if intake.many or fault is not None else bytes(intake.data)
        self._close(call_id)
        self._events.append(StatusReceived(call_id, status, payload))

    def _on_message(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        self._data_came(len(payload))
        if not self._is_open(call_id):
            self._done_with(len(payload))
            return
        intake = self._open[call_id]
        if intake is not None and intake.many and not intake.started and not flags & (MORE | END_STREAM):
            size = len(payload)  # as most messages come, whole and within bounds
            fits = 0 < size <= min(self._limits.max_message, intake.allowance.left) and self._allowance.left >= 0
            if fits and self._pool.takes(size):
                intake.allowance.left -= size
                self._hold(size)
                self._events.append(MessageReceived(call_id, payload))
                return
        if intake is None:
            intake = self._open[call_id] = Intake(self._limits.call_window)
        fault = self._gather(call_id, intake, flags, payload)
        if fault is not None:
            self._events.append(Reply(self.cancel(call_id, wire.Cancel.CALLER)))
            self._events.append(StatusReceived(call_id, _unusable(fault), b""))

    def _on_cancel(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        why = parse(wire.Cancel, meta).why
        if self._is_open(call_id):
            self._close(call_id)
            self._events.append(Withdrawn(call_id, why))

    def _on_state(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        state = parse(wire.PeerState, meta)
        self._events.append(StateReceived(state.serving, state.load if state.HasField("load") else None))

    def _close(self, call_id: int) -> None:
        intake = self._open.pop(call_id)
        if intake is not None:
            self._forget(intake)
            self._intakes.pop(call_id, None)
        if self._flow.lanes:
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
