"""What an error says: of the endpoint it came from, of the stage behind it, and of trying again."""

from __future__ import annotations

from typing import Any, Final

from recmesh.rpc import Method, Origin, Processed, RpcError, Status, StreamLeft

UNTOUCHED: Final = frozenset({Processed.NOT_SENT, Processed.REFUSED})
"""No handler saw the call, so that repeating it is safe whatever the method does."""


def endpoint_failed(error: RpcError) -> bool:
    """Whether the endpoint is to blame: not for what an application answers, nor for a refusal or a local cancel."""
    if error.processed is Processed.REFUSED:  # by a library that is well enough to say so
        return False
    match error.status:
        case Status.UNAVAILABLE | Status.INTERNAL | Status.DEADLINE_EXCEEDED:
            return True
        case Status.UNKNOWN:
            return error.origin != Origin.APP
        case _:
            return False


def endpoint_refused(error: RpcError) -> bool:
    """Whether the endpoint turned the call away because it has too much to do, or is leaving."""
    return error.processed is Processed.REFUSED and error.status in (Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED)


def may_repeat(method: Method[Any, Any], error: RpcError) -> bool:
    """Whether another attempt does no harm and may help; whether there is time for it is another question."""
    if error.pushback_ms is not None and error.pushback_ms < 0:
        return False
    match error.status:
        # Also what a handler answered: one replica that lacks something is no reason for a caller to go without.
        case Status.UNAVAILABLE | Status.DEADLINE_EXCEEDED:
            return error.processed in UNTOUCHED or method.idempotent
        case Status.RESOURCE_EXHAUSTED:
            return method.idempotent and error.pushback_ms is not None
        case _:
            return False


def code_of(outcome: BaseException | None) -> str:
    """The name of the status a call ended with."""
    if outcome is None:
        return Status.OK.name
    if isinstance(outcome, RpcError):
        return outcome.status.name
    return Status.CANCELLED.name if is_cancel(outcome) else Status.UNKNOWN.name


def is_cancel(error: BaseException) -> bool:
    """Whether this is how a loop ends a coroutine whose result nobody wants."""
    # Twisted and asyncio each have a CancelledError of their own, and a policy knows neither.
    return isinstance(error, GeneratorExit | StreamLeft) or type(error).__name__ == "CancelledError"
