"""A call whose handler runs: how it is cancelled, and where its messages come from and go to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from google.protobuf.message import DecodeError, Message

from recmesh.rpc.call import Method
from recmesh.rpc.connection.inbox import Inbox
from recmesh.rpc.scope import Scope
from recmesh.rpc.status import Origin, Processed, RpcError, Status


class Running:
    """A call whose handler waits for something."""

    __slots__ = ("future", "given_up", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.future: Any = None
        self.given_up = False  # nobody waits for the answer


class Replies:
    """Where a handler's messages go, as recmesh.rpc.call.Replies."""

    __slots__ = ("_method", "_send", "sent")

    def __init__(self, method: Method[Any, Any], send: Callable[[bytes], Awaitable[None]]) -> None:
        self.sent = 0
        self._method = method
        self._send = send

    async def send(self, message: Message, /) -> None:
        if not isinstance(message, self._method.reply):
            raise TypeError(f"{self._method.path} answered with a {type(message).__name__}")
        self.sent += 1
        await self._send(message.SerializeToString())


async def requests_of(
    method: Method[Any, Any], inbox: Inbox[None], took: Callable[[int], object]
) -> AsyncIterator[Message]:
    """The messages of a stream; INTERNAL for one that does not parse."""
    while (payload := await inbox.take()) is not None:
        try:
            request: Message = method.request.FromString(payload)
        except DecodeError as error:
            message = f"a request is no {method.request.DESCRIPTOR.full_name}"
            raise RpcError(Status.INTERNAL, message, processed=Processed.YES, origin=Origin.SERVER) from error
        took(len(payload))
        yield request
