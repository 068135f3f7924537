"""What a Session makes of the bytes it receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from recmesh.rpc.frames import ProtocolError
from recmesh.wire.v1 import wire_pb2 as wire


@dataclass(frozen=True, slots=True)
class Greeted:
    """The peer's HELLO; its limits hold from here on."""

    hello: wire.Hello


@dataclass(slots=True)  # one a call: freezing it would triple what it costs to make
class CallReceived:
    """The peer calls a method. The whole request is there, unless the method takes many."""

    call_id: int
    header: wire.CallHeader
    payload: bytes
    since: float  # when the first frame of the call was read


@dataclass(slots=True)  # as above
class MessageReceived:
    """One message of a stream; whoever has dealt with it says so by Session.took."""

    call_id: int
    payload: bytes


@dataclass(slots=True)  # as above
class RequestsEnded:
    """The peer sends no more messages of a call."""

    call_id: int


@dataclass(slots=True)  # as above
class StatusReceived:
    """A call of ours is answered."""

    call_id: int
    status: wire.CallStatus
    payload: bytes


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The peer sent CANCEL for a call that was open."""

    call_id: int
    why: int  # a wire.Cancel.Why


@dataclass(frozen=True, slots=True)
class Ponged:
    """A PING of ours is answered."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class StateReceived:
    """How the server is, told unasked."""

    serving: bool
    load: wire.LoadReport | None


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The peer takes no more calls on this connection; `refused` are those of ours that it never looked at."""

    code: int  # 0: a drain; else the google.rpc.Code of an error
    reason: str
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes that the protocol wants sent to the peer at once."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The peer broke the protocol. The Reply before this is the GOAWAY; nothing is read any more."""

    error: ProtocolError


Event: TypeAlias = (
    Greeted
    | CallReceived
    | MessageReceived
    | RequestsEnded
    | StatusReceived
    | Withdrawn
    | StateReceived
    | Ponged
    | GoingAway
    | Reply
    | Broken
)
