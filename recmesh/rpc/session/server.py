"""The end of a connection that answers calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from recmesh.rpc import frames
from recmesh.rpc.call import Kind
from recmesh.rpc.frames import END_STREAM, MAX_CALL_ID, MAX_PAIRS, MORE, PREFACE, Frame, Limits, ProtocolError, encode
from recmesh.rpc.session.base import Session, parse
from recmesh.rpc.session.events import CallReceived, Reply, RequestsEnded, Withdrawn
from recmesh.rpc.session.flow import Parcel
from recmesh.rpc.session.intake import Intake
from recmesh.rpc.session.memory import PROCESS, Pool
from recmesh.rpc.session.receiver import Fault
from recmesh.rpc.status import Origin, Processed, RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire


class ServerSession(Session):
    """Takes calls, and carries their answers back.

    A call holds one of `max_concurrent_calls` slots from its first frame until its handler has ended, also when nobody
    waits for its answer any more, and until its answer has left.
    """

    __slots__ = ("_arriving", "_ending", "_last_id", "_last_taken", "_open", "_preface", "arriving")

    def __init__(self, limits: Limits, node_id: str = "", build: str = "", pool: Pool = PROCESS) -> None:
        super().__init__(limits, node_id, build, pool)
        self._preface = PREFACE  # what is still to come of it
        self._last_id = 0
        self._last_taken = MAX_CALL_ID  # later calls are refused
        self._arriving: dict[int, Intake] = {}  # calls whose one request is not there yet
        self.arriving: Mapping[int, Intake] = self._arriving
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
        return bool(self._open or self._arriving or self._ending or self._flow.ending)

    @property
    def unsent(self) -> Mapping[int, object]:
        """By id, ended calls whose answer the peer has given too little credit for."""
        return self._flow.ending

    def status(self, call_id: int, status: wire.CallStatus, payload: bytes = b"") -> bytes:
        """Ends a call whose handler has ended. Nothing, if the caller has given it up."""
        ahead = self._open.pop(call_id, None)
        if ahead is None:
            self._ending.discard(call_id)
            return b""
        if len(payload) > self._peer_message:
            status, payload = _unsendable(self._over_size()), b""
        if self._intakes:
            self._forget(self._intakes.pop(call_id, None))
        meta, size, flow = status.SerializeToString(), len(payload), self._flow
        if call_id not in flow.lanes:
            if len(meta) + size <= flow.whole and (size <= flow.window or not size):
                flow.window -= size
                return encode(frames.STATUS, call_id, meta, payload, END_STREAM, crc=self._crc)
            flow.open(call_id, ahead)
        if size and flow.full:
            message = "too many answers wait until the caller takes more bytes"
            meta, payload = _unsendable(message).SerializeToString(), b""
        return flow.put(call_id, Parcel(memoryview(payload), frames.STATUS, meta, END_STREAM))

    def give_up(self, call_id: int, status: wire.CallStatus) -> bytes:
        """Answers, in place of its handler, a call that still arrives or runs, or whose answer could not leave.

        One that runs keeps its slot until `status` says that the handler has ended.
        """
        if self._open.pop(call_id, None) is not None:
            self._ending.add(call_id)
            self._forget(self._intakes.pop(call_id, None))
        elif call_id in self._arriving:
            self._forget(self._arriving.pop(call_id))
        elif call_id not in self._flow.ending:
            return b""
        self._flow.drop(call_id)
        return encode(frames.STATUS, call_id, status.SerializeToString(), flags=END_STREAM, crc=self._crc)

    def is_open(self, call_id: int) -> bool:
        """Whether anyone waits for the answer."""
        return call_id in self._open

    def check_size(self, payload: bytes) -> None:
        """RpcError for a message of a stream that the caller does not take."""
        if len(payload) > self._peer_message:
            raise RpcError(Status.RESOURCE_EXHAUSTED, self._over_size(), processed=Processed.YES, origin=Origin.SERVER)

    def state(self, serving: bool, load: wire.LoadReport | None = None) -> bytes:
        """Tells the caller how this end is."""
        return encode(frames.STATE, meta=wire.PeerState(serving=serving, load=load).SerializeToString(), crc=self._crc)

    def drain(self, drain_ms: int, reason: str = "drain") -> bytes:
        """The first of two GOAWAYs: the peer opens no more calls, and those on their way are still taken."""
        return self.goaway(MAX_CALL_ID, reason=reason, drain_ms=drain_ms)

    def refuse_later_calls(self, drain_ms: int, reason: str = "drain") -> bytes:
        """The second GOAWAY: calls that have not arrived are refused."""
        self._last_taken = self._last_id
        return self.goaway(self._last_id, reason=reason, drain_ms=drain_ms)

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
        size, limits = len(payload), self._limits
        self._data_came(size)
        if call_id <= self._last_id or not call_id & 1 or call_id > MAX_CALL_ID:
            raise ProtocolError(f"a CALL of id {call_id} after {self._last_id}; ids are odd and increase, below 2^31")
        self._last_id = call_id
        header = parse(wire.CallHeader, meta)
        taken = len(self._open) + len(self._arriving) + len(self._ending) + len(self._flow.ending)
        unwelcome = call_id > self._last_taken or taken >= limits.max_concurrent_calls
        if unwelcome or (len(meta) > 2 * MAX_PAIRS and len(header.metadata) > MAX_PAIRS):
            self._done_with(size)
            self._refuse(call_id, self._why_refused(call_id, unwelcome))
        elif header.kind and header.kind & Kind.CLIENT_STREAM:  # to look a Kind up costs more than the rest of this
            self._begin(call_id, header, b"", self._now)
            self._intakes[call_id] = Intake(limits.call_window, many=True)
            if size or flags & (END_STREAM | MORE):
                self._on_piece(call_id, flags, payload)
        elif flags & (END_STREAM | MORE) == END_STREAM and size <= self._most_whole and self._allowance.left >= 0:
            self._done_with(size)
            self._begin(call_id, header, payload, self._now)
        else:
            self._arriving[call_id] = Intake(limits.call_window, header=header, since=self._now)
            self._on_piece(call_id, flags, payload)

    def _begin(self, call_id: int, header: wire.CallHeader, payload: bytes, since: float, ahead: int = 0) -> None:
        self._open[call_id] = ahead
        if header.kind and header.kind & Kind.SERVER_STREAM:
            self._flow.open(call_id, ahead)
        self._events.append(CallReceived(call_id, header, payload, since))

    def _why_refused(self, call_id: int, unwelcome: bool) -> Fault:
        if call_id > self._last_taken:
            return Status.UNAVAILABLE, "the server is going away"
        if not unwelcome:
            return Status.RESOURCE_EXHAUSTED, f"more than {MAX_PAIRS} pairs of metadata"
        return Status.UNAVAILABLE, f"{self._limits.max_concurrent_calls} calls are running on this connection"

    def _on_message(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        self._data_came(len(payload))
        self._check_seen(call_id)
        if call_id in self._arriving or call_id in self._intakes:
            self._on_piece(call_id, flags, payload)
        else:
            self._done_with(len(payload))

    def _on_piece(self, call_id: int, flags: int, payload: bytes) -> None:
        arriving = self._arriving.get(call_id)
        intake = arriving or self._intakes[call_id]
        fault = self._gather(call_id, intake, flags, payload)
        if fault is not None:
            self._stop(call_id, fault)
        elif flags & END_STREAM and arriving is None:
            self._forget(self._intakes.pop(call_id))
            self._events.append(RequestsEnded(call_id))
        elif flags & END_STREAM and intake.header is not None:
            self._forget(self._arriving.pop(call_id))
            self._begin(call_id, intake.header, bytes(intake.data), intake.since, intake.credit)

    def _stop(self, call_id: int, fault: Fault) -> None:
        """A request that cannot be taken: no handler has seen it, or one that is in the middle of a stream."""
        if call_id in self._arriving:
            self._forget(self._arriving.pop(call_id))
            self._refuse(call_id, fault)
            return
        status = wire.CallStatus(code=fault[0], message=fault[1], processed=wire.YES, origin=wire.SERVER)
        self._events.append(Reply(self.give_up(call_id, status)))
        self._events.append(Withdrawn(call_id, wire.Cancel.UNSPECIFIED))

    def _on_cancel(self, flags: int, call_id: int, meta: bytes, payload: bytes) -> None:
        why = parse(wire.Cancel, meta).why
        self._check_seen(call_id)
        self._forget(self._arriving.pop(call_id, None))
        self._forget(self._intakes.pop(call_id, None))
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
        meta = status.SerializeToString()
        self._events.append(Reply(encode(frames.STATUS, call_id, meta, flags=END_STREAM, crc=self._crc)))

    def _over_size(self) -> str:
        return f"the response is over the {self._peer_message} bytes that the caller accepts"


def _unsendable(message: str) -> wire.CallStatus:
    """In place of the status of a call whose answer the peer does not take."""
    return wire.CallStatus(code=Status.RESOURCE_EXHAUSTED, message=message, processed=wire.YES, origin=wire.SERVER)
