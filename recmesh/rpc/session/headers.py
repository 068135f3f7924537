"""A call's context and outcome as the wire's metadata, and back."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import DecodeError, Message

from recmesh.rpc.call import Call, Context
from recmesh.rpc.frames import MAX_META
from recmesh.rpc.session.events import StatusReceived
from recmesh.rpc.status import NO_METADATA, Origin, Processed, RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire

FAR = 86_400.0 * 365  # seconds; a deadline further away than a year is none
TRACE_BYTES = 25  # 16 of trace id, 8 of span id, 1 of flags
MESSAGE_CHARACTERS = 1_000  # of an error's text; at 4 bytes each it fits the 8 KiB of a frame's metadata
ROOM_FOR_TIMES = 64  # bytes that the fields take which the library adds
MOST_US = 2**32 - 1  # what the fields of wire.CallStatus hold

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
    if call.method.kind:
        header.kind = int(call.method.kind)  # type: ignore[assignment]
    if context.tracestate or context.criticality or context.hedge or context.metadata:
        _add_rarer(header, context)
    return header.SerializeToString()


def _add_rarer(header: wire.CallHeader, context: Context) -> None:
    header.tracestate = context.tracestate
    header.criticality = context.criticality  # type: ignore[assignment]
    header.hedge = context.hedge
    _add(header, context.metadata)


def _add(to: wire.CallHeader | wire.CallStatus, metadata: Mapping[str, str | bytes]) -> None:
    for key, value in metadata.items():
        if isinstance(value, str):
            to.metadata.add(key=key, text=value)
        else:
            to.metadata.add(key=key, binary=value)


def _pairs(of: wire.CallHeader | wire.CallStatus) -> dict[str, str | bytes]:
    return {each.key: each.text if each.WhichOneof("value") == "text" else each.binary for each in of.metadata}


def context_of(header: wire.CallHeader, deadline: float | None, peer: str, principal: str = "") -> Context:
    trace = header.trace
    return Context(
        deadline,
        _pairs(header) if header.metadata else NO_METADATA,
        trace if len(trace) == TRACE_BYTES else b"",  # as W3C asks for a traceparent that cannot be read
        header.tracestate,
        header.criticality,
        header.attempt,
        header.hedge,
        peer,
        principal,
        {},
    )


def deadline_of(header: wire.CallHeader, since: float) -> float | None:
    """On this process's clock, for a call whose first frame was read at `since`."""
    timeout = header.timeout_us / 1e6
    return since + timeout if 0 < timeout < FAR else None


def reply_of(call: Call, event: StatusReceived) -> Message:
    """The reply; RpcError for a status other than OK, and for a reply that does not parse."""
    if event.status.code or call.context.trailers is not None:
        check(call, event)
    return decoded(call, event.payload)


def check(call: Call, event: StatusReceived) -> None:
    """RpcError for a status other than OK. The trailers go where the caller wants them."""
    status, trailers = event.status, call.context.trailers
    if not status.code and trailers is None:
        return
    metadata = _pairs(status) if status.metadata else NO_METADATA
    if trailers is not None:
        trailers.update(metadata)
    if status.code:
        raise RpcError(
            STATUSES.get(status.code, Status.UNKNOWN),
            status.message,
            processed=PROCESSED.get(status.processed) or Processed.MAYBE,
            origin=ORIGINS.get(status.origin, Origin.UNSPECIFIED),
            pushback_ms=status.pushback_ms if status.HasField("pushback_ms") else None,
            details=tuple(status.details),
            metadata=metadata,
        )


def decoded(call: Call, payload: bytes) -> Message:
    try:
        reply: Message = call.method.reply.FromString(payload)
    except DecodeError as error:
        message = f"the reply is no {call.method.reply.DESCRIPTOR.full_name}"
        raise RpcError(Status.INTERNAL, message, processed=Processed.YES, origin=Origin.CLIENT) from error
    return reply


def status_of(error: RpcError) -> wire.CallStatus:
    """TypeError or ValueError where the error holds what cannot be sent."""
    text = str(error.message)[:MESSAGE_CHARACTERS].encode("utf-8", "replace").decode()
    status = wire.CallStatus(
        code=error.status or Status.UNKNOWN,  # raising OK is a mistake, not a success
        message=text,
        origin=int(error.origin or Origin.APP),  # type: ignore[arg-type]
        processed=int(error.processed or Processed.YES),  # type: ignore[arg-type]
        pushback_ms=error.pushback_ms,
        details=error.details,
    )
    _add(status, error.metadata)
    return status


def with_trailers(status: wire.CallStatus, trailers: Mapping[str, str | bytes]) -> wire.CallStatus:
    """The status of a handler and what it wants sent beside; an error of its own where that does not fit a frame.

    TypeError or ValueError for trailers that cannot be sent.
    """
    _add(status, trailers)
    if status.ByteSize() <= MAX_META - ROOM_FOR_TIMES:
        return status
    if status.code:  # what failed is worth more than what was to be said of it
        return wire.CallStatus(
            code=status.code, message=status.message, origin=status.origin, processed=status.processed
        )
    return library_status(Status.RESOURCE_EXHAUSTED, f"the trailers do not fit the {MAX_META} bytes of metadata")


def library_status(status: Status, message: str, processed: Processed = Processed.YES) -> wire.CallStatus:
    """A verdict of the server's library."""
    return wire.CallStatus(code=status, message=message, processed=int(processed), origin=wire.SERVER)  # type: ignore[arg-type]


def microseconds(seconds: float) -> int:
    us = int(seconds * 1e6)
    return us if 0 <= us <= MOST_US else min(MOST_US, max(0, us))


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
