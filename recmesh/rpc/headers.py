"""A call's context and outcome as the wire's metadata, and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.message import DecodeError, Message

from recmesh.rpc.call import Call, Context
from recmesh.rpc.events import StatusReceived
from recmesh.rpc.status import Origin, Processed, RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire

FAR = 86_400.0 * 365  # seconds; a deadline further away than a year is none
TRACE_BYTES = 25  # 16 of trace id, 8 of span id, 1 of flags
MESSAGE_CHARACTERS = 1_000  # of an error's text; at 4 bytes each it fits the 8 KiB of a frame's metadata
MOST_US = 2**32 - 1  # what the fields of wire.CallStatus hold
NONE: Mapping[str, str | bytes] = MappingProxyType({})

STATUSES = {int(status): status for status in Status}
PROCESSED = {int(processed): processed for processed in Processed}
ORIGINS = {int(origin): origin for origin in Origin}

# Messages take the numbers of these enumerations; their generated types know only their own: hence the ignores below.


def header_of(call: Call, now: float) -> bytes:
    """The CallHeader, with the time left from `now`; DEADLINE_EXCEEDED when there is none."""
    context = call.context
    header = wire.CallHeader(method=call.method.path)
    if context.deadline is not None and context.deadline - now < FAR:
        if context.deadline <= now:
            message = "the deadline had passed before the call was sent"
            raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)
        header.timeout_us = max(1, int((context.deadline - now) * 1e6))  # 0 would mean none given
    if context.trace:
        header.trace = context.trace
    if context.attempt:
        header.attempt = context.attempt
    if context.tracestate or context.criticality or context.hedge or context.metadata:
        _add_rarer(header, context)
    return header.SerializeToString()


def _add_rarer(header: wire.CallHeader, context: Context) -> None:
    header.tracestate = context.tracestate
    header.criticality = context.criticality  # type: ignore[assignment]
    header.hedge = context.hedge
    for key, value in context.metadata.items():
        if isinstance(value, str):
            header.metadata.add(key=key, text=value)
        else:
            header.metadata.add(key=key, binary=value)


def context_of(header: wire.CallHeader, deadline: float | None, peer: str, principal: str = "") -> Context:
    trace, pairs = header.trace, header.metadata
    return Context(
        deadline,
        {each.key: each.text if each.WhichOneof("value") == "text" else each.binary for each in pairs}
        if pairs
        else NONE,
        trace if len(trace) == TRACE_BYTES else b"",  # as W3C asks for a traceparent that cannot be read
        header.tracestate,
        header.criticality,
        header.attempt,
        header.hedge,
        peer,
        principal,
    )


def deadline_of(header: wire.CallHeader, since: float) -> float | None:
    """On this process's clock, for a call whose first frame was read at `since`."""
    timeout = header.timeout_us / 1e6
    return since + timeout if 0 < timeout < FAR else None


def reply_of(call: Call, event: StatusReceived) -> Message:
    """The reply; RpcError for a status other than OK, and for a reply that does not parse."""
    status = event.status
    if status.code:
        raise RpcError(
            STATUSES.get(status.code, Status.UNKNOWN),
            status.message,
            processed=PROCESSED.get(status.processed) or Processed.MAYBE,
            origin=ORIGINS.get(status.origin, Origin.UNSPECIFIED),
            pushback_ms=status.pushback_ms if status.HasField("pushback_ms") else None,
        )
    try:
        reply: Message = call.method.reply.FromString(event.payload)
    except DecodeError as error:
        message = f"the reply is no {call.method.reply.DESCRIPTOR.full_name}"
        raise RpcError(Status.INTERNAL, message, processed=Processed.YES, origin=Origin.CLIENT) from error
    return reply


def status_of(error: RpcError) -> wire.CallStatus:
    text = error.message[:MESSAGE_CHARACTERS].encode("utf-8", "replace").decode()
    return wire.CallStatus(
        code=error.status or Status.UNKNOWN,  # raising OK is a mistake, not a success
        message=text,
        origin=int(error.origin or Origin.APP),  # type: ignore[arg-type]
        processed=int(error.processed or Processed.YES),  # type: ignore[arg-type]
        pushback_ms=error.pushback_ms,
    )


def library_status(status: Status, message: str, processed: Processed = Processed.YES) -> wire.CallStatus:
    """A verdict of the server's library."""
    return wire.CallStatus(code=status, message=message, processed=int(processed), origin=wire.SERVER)  # type: ignore[arg-type]


def microseconds(seconds: float) -> int:
    return min(MOST_US, max(0, int(seconds * 1e6)))


def too_late() -> RpcError:
    message = "the deadline passed before the handler began"
    return RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.REFUSED, origin=Origin.SERVER)


def ended_here(status: Status, message: str) -> RpcError:
    """For a call that was sent and that the caller's end gave up."""
    return RpcError(status, message, processed=Processed.MAYBE, origin=Origin.CLIENT)


def given_up() -> RpcError:
    return RpcError(Status.UNAVAILABLE, "the server gave the call up", processed=Processed.MAYBE, origin=Origin.SERVER)


def refused(reason: str) -> RpcError:
    message = f"the server is going away: {reason}"
    return RpcError(Status.UNAVAILABLE, message, processed=Processed.REFUSED, origin=Origin.SERVER)
