"""The ends under test: the protocol alone, as recmesh.rpc.session have it."""

from __future__ import annotations

import abc
from typing import Any, Generic, TypeVar

from google.protobuf.json_format import ParseDict

from recmesh.rpc.frames import Limits
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import Reply
from recmesh.rpc.session.memory import Pool
from recmesh.rpc.session.server import ServerSession
from recmesh.rpc.status import RpcError
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.reading import event_of, from_hex

EVERYTHING = 1 << 40

S = TypeVar("S", bound=Session)


class End(abc.ABC):
    """Takes steps; what came of them since it was asked last is in `events`, `sent` and `closed`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.sent = bytearray()

    @abc.abstractmethod
    def receive(self, data: bytes, at: float) -> None: ...

    @abc.abstractmethod
    def settle(self) -> None:
        """Sends what may leave, at the end of a step."""

    @property
    def closed(self) -> bool:
        """Whether it closes the connection."""
        return False

    def do(self, name: str, arguments: dict[str, Any]) -> None:
        said = getattr(self, f"do_{name}")(**arguments)
        self.sent += said or b""

    def failed(self, error: RpcError) -> None:
        """What the application is told of a call, or of a message, that this end gives up or does not send."""
        told = {"code": int(error.status), "processed": int(error.processed), "message": error.message}
        self.events.append({"event": "failed", **told})


class ProtocolEnd(End, Generic[S]):
    """What both kinds of session can be told."""

    def __init__(self, session: S) -> None:
        super().__init__()
        self.session = session

    def receive(self, data: bytes, at: float) -> None:
        for event in self.session.receive(data, at):
            if isinstance(event, Reply):
                self.sent += event.data
            else:
                self.events.append(event_of(event))

    def settle(self) -> None:
        self.sent += self.session.pull(EVERYTHING)

    @property
    def closed(self) -> bool:
        return self.session.broken

    def do_hello(self) -> bytes:
        return self.session.hello()

    def do_ping(self, payload: str) -> bytes:
        return self.session.ping(from_hex(payload))

    def do_goaway(self, last_call_id: int, reason: str) -> bytes:
        return self.session.goaway(last_call_id, reason=reason)

    def do_message(self, call: int, payload: str) -> bytes:
        return self.session.message(call, from_hex(payload))

    def do_took(self, call: int, size: int) -> bytes:
        return self.session.took(call, size)


class ClientProtocol(ProtocolEnd[ClientSession]):
    """The end that calls."""

    def __init__(self, limits: Limits, process: int) -> None:
        super().__init__(ClientSession(limits, pool=Pool(process)))

    def do_call(self, header: dict[str, Any], payload: str = "") -> bytes:
        parsed = ParseDict(header, wire.CallHeader())
        try:
            call_id, data = self.session.call(parsed.SerializeToString(), from_hex(payload), parsed.kind)
        except RpcError as error:
            self.failed(error)
            return b""
        self.events.append({"event": "called", "call_id": call_id})
        return data

    def do_message(self, call: int, payload: str) -> bytes:
        try:
            self.session.check_size(from_hex(payload))
        except RpcError as error:
            self.failed(error)
            return b""
        return super().do_message(call, payload)

    def do_end(self, call: int) -> bytes:
        return self.session.end(call)

    def do_cancel(self, call: int, why: str) -> bytes:
        return self.session.cancel(call, ParseDict({"why": why}, wire.Cancel()).why)


class ServerProtocol(ProtocolEnd[ServerSession]):
    """The end that answers."""

    def __init__(self, limits: Limits, process: int) -> None:
        super().__init__(ServerSession(limits, pool=Pool(process)))

    def do_status(self, call: int, status: dict[str, Any], payload: str = "") -> bytes:
        return self.session.status(call, ParseDict(status, wire.CallStatus()), from_hex(payload))

    def do_give_up(self, call: int, status: dict[str, Any]) -> bytes:
        return self.session.give_up(call, ParseDict(status, wire.CallStatus()))

    def do_state(self, serving: bool, load: dict[str, Any] | None = None) -> bytes:
        return self.session.state(serving, None if load is None else ParseDict(load, wire.LoadReport()))

    def do_drain(self, drain_ms: int) -> bytes:
        return self.session.drain(drain_ms)

    def do_refuse_later_calls(self, drain_ms: int) -> bytes:
        return self.session.refuse_later_calls(drain_ms)
