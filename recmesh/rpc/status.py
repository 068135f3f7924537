"""How a call can fail: one status, one exception."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

NO_METADATA: Final[Mapping[str, str | bytes]] = MappingProxyType({})


class Status(IntEnum):
    """The codes of google.rpc.Code."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Processed(IntEnum):
    """How far a failed call came; decides whether a retry is safe."""

    UNSPECIFIED = 0
    NOT_SENT = 1  # no byte left the caller
    REFUSED = 2  # the server's library turned it away; no handler saw it
    MAYBE = 3
    YES = 4  # a handler ran


class Origin(IntEnum):
    """Who decided how a call ended."""

    UNSPECIFIED = 0
    APP = 1
    SERVER = 2
    GATEWAY = 3
    CLIENT = 4


class RpcError(Exception):
    """A call ended with a status other than OK.

    Raised by a handler it becomes the answer of its call, message included; so the message is written for the caller.
    """

    def __init__(
        self,
        status: Status,
        message: str = "",
        *,
        processed: Processed = Processed.UNSPECIFIED,
        origin: Origin = Origin.UNSPECIFIED,
        pushback_ms: int | None = None,
        details: tuple[Any, ...] = (),
        metadata: Mapping[str, str | bytes] = NO_METADATA,
    ) -> None:
        super().__init__(f"{status.name}: {message}" if message else status.name)
        self.status = status
        self.message = message
        self.processed = processed
        self.origin = origin
        self.pushback_ms = pushback_ms  # >= 0: retry after exactly this; -1: do not retry
        self.details = details  # google.protobuf.Any messages, for programs
        self.metadata = metadata  # trailers

    def of_handler(self) -> RpcError:
        """The same as the answer of a handler that raised it, whatever call it came from."""
        return RpcError(
            self.status,
            self.message,
            processed=Processed.YES,
            origin=self.origin or Origin.APP,
            pushback_ms=self.pushback_ms,
            details=self.details,
            metadata=self.metadata,
        )
