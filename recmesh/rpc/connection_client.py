"""The calling end of a connection: is a Service."""

from __future__ import annotations

from typing import Any, Protocol

from google.protobuf.message import Message

from recmesh.rpc.call import Call
from recmesh.rpc.connection import Connection, Deadlines, Loop, Transport
from recmesh.rpc.events import Broken, GoingAway, StatusReceived, Withdrawn
from recmesh.rpc.frames import Limits
from recmesh.rpc.headers import FAR, ended_here, given_up, header_of, refused, reply_of
from recmesh.rpc.session_client import ClientSession
from recmesh.rpc.status import RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire


class Owner(Protocol):
    """Who made the connection, and makes the next one."""

    def leaving(self, connection: ClientConnection) -> None:
        """The server takes no more calls on it; open ones go on."""
        ...

    def lost(self, connection: ClientConnection, reason: str) -> None: ...


class ClientConnection(Connection):
    """Sends calls and matches their answers; each call ends exactly once."""

    def __init__(self, loop: Loop, transport: Transport, owner: Owner, limits: Limits, node_id: str = "") -> None:
        self._calls = ClientSession(limits, node_id)
        super().__init__(loop, transport, self._calls)
        self._owner = owner
        self._futures = loop.futures
        self._pending: dict[int, Any] = {}  # futures of a StatusReceived or an RpcError
        self._deadlines = Deadlines(loop, self._pending, self._expire)
        self._on[StatusReceived] = self._on_status
        self._on[Withdrawn] = self._on_withdrawn
        self._on[GoingAway] = self._on_going_away
        transport.write(self._calls.hello())

    @property
    def takes_calls(self) -> bool:
        return self._calls.takes_calls and not self.ended

    @property
    def in_flight(self) -> int:
        return len(self._pending)

    async def __call__(self, call: Call) -> Message:
        now, deadline = self._loop.seconds(), call.context.deadline
        call_id, data = self._calls.call(header_of(call, now), call.request.SerializeToString())
        future = self._pending[call_id] = self._futures.create_future()
        self._transport.write(data)
        if deadline is not None and deadline - now < FAR:
            self._deadlines.add(deadline, call_id)
        try:
            outcome: StatusReceived | RpcError = await future
        finally:
            if self._pending.pop(call_id, None) is not None:  # the caller was cancelled
                self._transport.write(self._calls.cancel(call_id, wire.Cancel.CALLER))
                self._close_if_done()
        if isinstance(outcome, RpcError):
            raise outcome
        return reply_of(call, outcome)

    def retire(self) -> None:
        """Closes when the open calls are answered."""
        self._calls.leaving = True
        self._owner.leaving(self)
        self._close_if_done()

    def shut(self) -> None:
        """Cancels the open calls and closes."""
        for call_id in list(self._pending):
            self._transport.write(self._calls.cancel(call_id, wire.Cancel.SHUTDOWN))
            self._settle(call_id, ended_here(Status.CANCELLED, "the endpoint was closed"))
        self._transport.write(self._calls.goaway(0, reason="the client leaves"))
        self._transport.close()

    def _settle(self, call_id: int, outcome: StatusReceived | RpcError) -> None:
        future = self._pending.pop(call_id, None)
        if future is not None and not self._futures.is_called(future):
            self._futures.resolve(future, outcome)
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._calls.leaving and not self._pending:
            self._transport.close()

    def _expire(self, call_id: int) -> None:
        self._transport.write(self._calls.cancel(call_id, wire.Cancel.DEADLINE))
        self._settle(call_id, ended_here(Status.DEADLINE_EXCEEDED, "no answer by the deadline"))

    def _on_status(self, event: StatusReceived) -> None:
        self._settle(event.call_id, event)

    def _on_withdrawn(self, event: Withdrawn) -> None:
        self._settle(event.call_id, given_up())

    def _on_going_away(self, event: GoingAway) -> None:
        if event.code:
            self._why_ended = f"the server ended the connection: {event.reason}"
        self._owner.leaving(self)
        for call_id in event.refused:
            self._settle(call_id, refused(event.reason))
        self._close_if_done()

    def _on_end(self, reason: str) -> None:
        self._deadlines.stop()
        self._owner.lost(self, reason)
        self._lose_calls(reason)

    def _on_broken(self, event: Broken) -> None:
        super()._on_broken(event)
        self._lose_calls(self._why_ended)  # nothing is read any more, though the close may take a while

    def _lose_calls(self, reason: str) -> None:
        for call_id in list(self._pending):
            self._settle(call_id, ended_here(Status.UNAVAILABLE, f"the connection was lost: {reason}"))
