"""The calling end of a connection: is a Service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Protocol, TypeAlias

from google.protobuf.message import Message

from recmesh.rpc.call import ENDED, Call
from recmesh.rpc.connection.base import Connection, Deadlines, Loop, Transport
from recmesh.rpc.connection.inbox import Inbox
from recmesh.rpc.frames import Limits
from recmesh.rpc.race import superseded
from recmesh.rpc.scope import current
from recmesh.rpc.session.client import ClientSession, unsent
from recmesh.rpc.session.events import Broken, GoingAway, MessageReceived, StateReceived, StatusReceived, Withdrawn
from recmesh.rpc.session.headers import FAR, check, decoded, ended_here, given_up, header_of, refused, reply_of
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire

Outcome: TypeAlias = StatusReceived | BaseException


class Owner(Protocol):
    """Who made the connection, and makes the next one."""

    def leaving(self, connection: ClientConnection) -> None:
        """The server takes no more calls on it; open ones go on."""
        ...

    def lost(self, connection: ClientConnection, reason: str) -> None: ...


class ClientConnection(Connection):
    """Sends calls and matches their answers; each call ends exactly once."""

    __slots__ = ("_calls", "_deadlines", "_futures", "_owner", "_pending", "load", "serving")

    def __init__(self, loop: Loop, transport: Transport, owner: Owner, limits: Limits, node_id: str = "") -> None:
        self._calls = ClientSession(limits, node_id)
        super().__init__(loop, transport, self._calls)
        self.serving = True  # as the server last said
        self.load: wire.LoadReport | None = None
        self._owner = owner
        self._futures = loop.futures
        self._pending: dict[int, Any] = {}  # by call, a future of its Outcome, or the Inbox of a stream
        self._deadlines = Deadlines(loop, self._pending, self._expire)
        self._on[MessageReceived] = self._on_message
        self._on[StatusReceived] = self._on_status
        self._on[Withdrawn] = self._on_withdrawn
        self._on[StateReceived] = self._on_state
        self._on[GoingAway] = self._on_going_away
        transport.write(self._calls.hello())

    @property
    def takes_calls(self) -> bool:
        return self._calls.takes_calls  # which it does not once the connection has ended

    @property
    def in_flight(self) -> int:
        return len(self._pending)

    async def __call__(self, call: Call) -> Message:
        scope = current.get()
        if scope is not None and scope.cancelled:
            raise unsent(Status.CANCELLED, "the call on whose behalf this one is made was cancelled")
        streams = call.requests is not None or call.replies is not None
        waiting: Any  # a future, or the inbox of a stream
        call_id, waiting = self._begin_stream(call) if streams else self._begin(call)
        key = 0 if scope is None else scope.began(partial(self._abandon, call_id))
        try:
            if streams:
                return await self._stream(call, call_id, waiting)
            outcome: Outcome = await waiting
        finally:
            if call_id in self._pending:  # the caller was cancelled
                self._leave(call_id)
            if scope is not None:
                scope.ended(key)
        if isinstance(outcome, StatusReceived):
            return reply_of(call, outcome)
        raise outcome

    def retire(self) -> None:
        """Closes when the open calls are answered."""
        self._calls.leaving = True
        self._owner.leaving(self)
        self._close_if_done()

    def shut(self) -> None:
        """Cancels the open calls and closes."""
        for call_id in list(self._pending):
            self._give_up(call_id, wire.Cancel.SHUTDOWN, Status.CANCELLED, "the endpoint was closed")
        self._transport.write(self._calls.goaway(0, reason="the client leaves"))
        self._transport.close()

    # One call.

    def _begin(self, call: Call) -> tuple[int, Any]:
        now, deadline = self._loop.seconds(), call.context.deadline
        call_id, data = self._calls.call(header_of(call, now), call.request.SerializeToString())
        future = self._pending[call_id] = self._loop.future()
        self._write(data)
        if deadline is not None and deadline - now < FAR:
            self._deadlines.add(deadline, call_id)
        return call_id, future

    def _begin_stream(self, call: Call) -> tuple[int, Inbox[Outcome]]:
        now, deadline = self._loop.seconds(), call.context.deadline
        request = b"" if call.requests is not None else call.request.SerializeToString()
        call_id, data = self._calls.call(header_of(call, now), request, call.method.kind)
        inbox: Inbox[Outcome] = Inbox(self._futures)
        self._pending[call_id] = inbox
        self._write(data)
        if deadline is not None and deadline - now < FAR:
            self._deadlines.add(deadline, call_id)
        return call_id, inbox

    async def _stream(self, call: Call, call_id: int, inbox: Inbox[Outcome]) -> Message:
        sending: Any = None
        requests = call.requests
        if requests is not None:
            sending = self._futures.as_future(lambda: self._send_all(call_id, requests))
            self._futures.add_callbacks(sending, _nothing, _nothing)
        try:
            outcome = await self._receive_all(call, call_id, inbox)
        finally:
            self._write(self._calls.took(call_id, inbox.clear()))
            if sending is not None and not self._futures.is_called(sending):
                self._futures.cancel(sending)
        if isinstance(outcome, BaseException):
            raise outcome
        if call.replies is None:
            return reply_of(call, outcome)
        check(call, outcome)
        return ENDED

    async def _receive_all(self, call: Call, call_id: int, inbox: Inbox[Outcome]) -> Outcome:
        while True:
            got = await inbox.take()
            if not isinstance(got, bytes):
                return got
            try:
                if call.replies is not None:
                    await call.replies.send(decoded(call, got))
            finally:
                self._write(self._calls.took(call_id, len(got)))

    async def _send_all(self, call_id: int, requests: AsyncIterator[Message]) -> None:
        """What goes wrong in the caller's own iterator ends the call, and is raised to the caller."""
        try:
            async for each in requests:
                if call_id not in self._pending:
                    return
                message = each.SerializeToString()
                self._calls.check_size(message)
                self._write(self._calls.message(call_id, message))
                await self._sent(call_id)
            self._write(self._calls.end(call_id))
        except BaseException as error:  # under asyncio a cancellation is no Exception
            if call_id in self._pending:
                self._write(self._calls.cancel(call_id, wire.Cancel.CALLER))
                self._settle(call_id, error)

    # The end of a call.

    def _settle(self, call_id: int, outcome: Outcome) -> None:
        waiting = self._pending.pop(call_id, None)
        if isinstance(waiting, Inbox):
            waiting.end(outcome)
        elif waiting is not None:
            self._loop.settle(waiting, outcome)
        if self._calls.leaving:
            self._close_if_done()

    def _leave(self, call_id: int) -> None:
        del self._pending[call_id]
        self._write(self._calls.cancel(call_id, wire.Cancel.SUPERSEDED if superseded() else wire.Cancel.CALLER))
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._calls.leaving and not self._pending:
            self._transport.close()

    def _give_up(self, call_id: int, why: wire.Cancel.Why, status: Status, message: str) -> None:
        """Ends a call from this end; of a stream, what was not read yet is not read any more."""
        self._write(self._calls.cancel(call_id, why))
        waiting = self._pending.get(call_id)
        if isinstance(waiting, Inbox):
            self._write(self._calls.took(call_id, waiting.clear()))
        self._settle(call_id, ended_here(status, message))

    def _expire(self, call_id: int) -> None:
        self._give_up(call_id, wire.Cancel.DEADLINE, Status.DEADLINE_EXCEEDED, "no answer by the deadline")

    def _abandon(self, call_id: int) -> None:
        message = "the call on whose behalf this one was made was cancelled"
        self._give_up(call_id, wire.Cancel.CALLER, Status.CANCELLED, message)

    # What the server says.

    def _on_message(self, event: MessageReceived) -> None:
        inbox = self._pending.get(event.call_id)
        if isinstance(inbox, Inbox):
            inbox.put(event.payload)
        else:
            self._write(self._calls.took(event.call_id, len(event.payload)))

    def _on_status(self, event: StatusReceived) -> None:
        self._settle(event.call_id, event)

    def _on_withdrawn(self, event: Withdrawn) -> None:
        self._settle(event.call_id, given_up())

    def _on_state(self, event: StateReceived) -> None:
        self.serving, self.load = event.serving, event.load

    def _on_going_away(self, event: GoingAway) -> None:
        if event.code:
            self._why_ended = f"the server ended the connection: {event.reason}"
        self._owner.leaving(self)
        for call_id in event.refused:
            self._settle(call_id, refused(event.reason))
        self._close_if_done()

    # The end.

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


def _nothing(outcome: object) -> None:
    """Whatever became of the requests, the call's own outcome tells."""
