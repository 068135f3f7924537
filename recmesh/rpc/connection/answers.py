"""How calls are answered: a handler for each, its deadline, and what becomes of it."""

from __future__ import annotations

import abc
import logging
from collections.abc import Awaitable, Coroutine
from contextvars import copy_context
from types import CoroutineType
from typing import Any

from google.protobuf.message import EncodeError, Message

from recmesh.rpc.call import ENDED, Call, Handlers, Kind, Service
from recmesh.rpc.connection.base import Connection, Deadlines, Loop, Transport
from recmesh.rpc.connection.inbox import Inbox
from recmesh.rpc.connection.running import Replies, Running, requests_of
from recmesh.rpc.scope import Scope, current
from recmesh.rpc.session.events import CallReceived, MessageReceived, RequestsEnded, Withdrawn
from recmesh.rpc.session.headers import (
    context_of,
    deadline_of,
    library_status,
    microseconds,
    status_of,
    too_late,
    with_trailers,
)
from recmesh.rpc.session.server import ServerSession
from recmesh.rpc.status import RpcError, Status
from recmesh.rpc.steps import finish
from recmesh.wire.v1 import wire_pb2 as wire

log = logging.getLogger(__name__)

ARRIVAL = 120.0  # seconds for a request without a deadline: 4 MiB at 35 kB a second


class Answers(Connection):
    """Takes the calls of one peer to `handlers`, through `service`, and brings the answers back."""

    __slots__ = (
        "_arriving",
        "_caller",
        "_calls",
        "_deadlines",
        "_fine",
        "_futures",
        "_handlers",
        "_inboxes",
        "_late",
        "_principal",
        "_refusing",
        "_running",
        "_service",
        "_slow",
        "_slow_until",
        "_tasks",
        "_unsent",
    )

    def __init__(
        self,
        loop: Loop,
        transport: Transport,
        handlers: Handlers,
        service: Service,
        session: ServerSession,
        caller: str,
        principal: str,
    ) -> None:
        super().__init__(loop, transport, session)
        self._calls = session
        self._futures = loop.futures
        self._tasks = loop.tasks
        self._handlers = handlers
        self._service = service  # the handlers behind their filters
        self._caller = caller
        self._principal = principal  # who the caller's certificate says that it is
        self._running: dict[int, Running] = {}
        self._fine = wire.CallStatus(origin=wire.APP, processed=wire.YES)  # used again: to make one takes longer
        self._inboxes: dict[int, Inbox[None]] = {}  # by call, requests of a stream
        self._deadlines = Deadlines(loop, self._running, self._expire)
        self._unsent = self._calls.unsent
        self._late = Deadlines(loop, self._unsent, self._expire_unsent)
        self._arriving = self._calls.arriving
        self._slow = Deadlines(loop, self._arriving, self._expire_arriving)
        self._slow_until = 0  # requests up to this id are in `_slow`
        self._refusing = False  # calls that come later; and the connection closes when none are left
        self._on[CallReceived] = self._on_call
        self._on[MessageReceived] = self._on_message
        self._on[RequestsEnded] = self._on_requests_ended
        self._on[Withdrawn] = self._on_withdrawn

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def _on_call(self, event: CallReceived) -> None:
        now, header = self._loop.seconds(), event.header
        deadline = deadline_of(header, event.since)
        try:
            if deadline is not None and deadline <= now:
                raise too_late()
            call = self._handlers.decode(
                header.method, header.kind, event.payload, context_of(header, deadline, self._caller, self._principal)
            )
        except RpcError as error:
            self._end(event, None, now, status_of(error))
            return
        if call.method.kind:
            self._stream(event.call_id, call)
        self._start(event, call, now)

    def _start(self, event: CallReceived, call: Call, now: float) -> None:
        scope = Scope(call.context, self._loop.seconds, self._futures)
        variables = copy_context()
        variables.run(current.set, scope)
        try:
            work = self._service(call)
            if type(work) is not CoroutineType and not isinstance(work, Coroutine):  # the ABC alone costs more
                work = _await(work)
            if self._tasks:
                variables.run(self._wait, event, call, now, scope, work)
                return
            awaited = variables.run(work.send, None)  # a handler that awaits nothing needs no future
        except StopIteration as stop:
            reply = stop.value
        except BaseException as error:  # as futures have it: a handler ends its own call, not the connection
            self._fail(event, call, now, error)
            return
        else:
            self._wait(event, call, now, scope, finish(work, variables, awaited))
            return
        self._answer(event, call, now, reply)

    def _stream(self, call_id: int, call: Call) -> None:
        """Where the messages of a call come from and go to."""
        if call.method.kind & Kind.CLIENT_STREAM:
            inbox = self._inboxes[call_id] = Inbox(self._futures)
            call.requests = requests_of(call.method, inbox, lambda size: self._write(self._calls.took(call_id, size)))
        if call.method.kind & Kind.SERVER_STREAM:
            call.replies = Replies(call.method, lambda message: self._send(call_id, message))

    async def _send(self, call_id: int, message: bytes) -> None:
        if self.ended or not self._calls.is_open(call_id):
            raise RpcError(Status.CANCELLED, "nobody waits for the answer any more")
        self._calls.check_size(message)
        self._write(self._calls.message(call_id, message))
        await self._sent(call_id)

    def _wait(
        self, event: CallReceived, call: Call, started: float, scope: Scope, work: Coroutine[Any, Any, Message]
    ) -> None:
        running = self._running[event.call_id] = Running(scope)
        if call.context.deadline is not None:
            self._deadlines.add(call.context.deadline, event.call_id)
        future = running.future = self._futures.as_future(lambda: work)
        self._futures.add_callbacks(
            future,
            lambda reply: self._answer(event, call, started, reply),
            lambda failure: self._fail(event, call, started, failure.value),
        )

    def _answer(self, event: CallReceived, call: Call, started: float, reply: Message) -> None:
        if isinstance(reply, call.method.reply):
            try:
                payload = reply.SerializeToString()
            except EncodeError as error:  # a required field is missing
                self._fail(event, call, started, error)
                return
            if call.method.kind or call.context.trailers:
                self._end(event, call, started, wire.CallStatus(origin=wire.APP, processed=wire.YES), payload)
                return
            call_id, status = event.call_id, self._fine
            if call_id in self._running:
                del self._running[call_id]
            status.queue_us = microseconds(started - event.since)
            status.service_us = microseconds(self._loop.seconds() - started)
            self._sent_status(event, self._calls.status(call_id, status, payload))
        elif call.replies is not None and reply is ENDED:
            self._end(event, call, started, wire.CallStatus(origin=wire.APP, processed=wire.YES))
        else:
            log.error("%s returned a %s", call.method.path, type(reply).__name__)
            message = f"the handler returned no {call.method.reply.DESCRIPTOR.full_name}"
            self._end(event, call, started, library_status(Status.INTERNAL, message))

    def _fail(self, event: CallReceived, call: Call | None, started: float, error: BaseException) -> None:
        running = self._running.get(event.call_id)
        # The text of other exceptions may hold what the caller must not see.
        status = library_status(Status.UNKNOWN, "the handler failed")
        if isinstance(error, RpcError):
            try:
                status = status_of(error)
            except (TypeError, ValueError) as unsendable:
                error = unsendable
        if not isinstance(error, RpcError) and (running is None or not running.given_up):
            log.error("the handler of %s failed", event.header.method, exc_info=error)
        if running is None:
            self._end(event, call, started, status)
        else:  # what was shielded from the cancellation still goes on
            running.scope.when_idle(lambda: self._end(event, call, started, status))

    def _end(
        self, event: CallReceived, call: Call | None, started: float, status: wire.CallStatus, payload: bytes = b""
    ) -> None:
        call_id, trailers = event.call_id, call.context.trailers if call is not None else None
        if trailers or status.details or status.metadata:
            try:
                status = with_trailers(status, trailers or {})
            except (TypeError, ValueError) as unsendable:
                (trailers or {}).clear()
                self._fail(event, call, started, unsendable)
                return
            payload = b"" if status.code else payload
        self._running.pop(call_id, None)
        if call is not None and call.method.kind:
            self._end_stream(call_id)
        status.queue_us = microseconds(started - event.since)
        status.service_us = microseconds(self._loop.seconds() - started)
        self._sent_status(event, self._calls.status(call_id, status, payload))

    def _sent_status(self, event: CallReceived, data: bytes) -> None:
        self._write(data)
        if self._unsent and event.call_id in self._unsent:
            deadline = deadline_of(event.header, event.since)
            if deadline is not None:
                self._late.add(deadline, event.call_id)
        if self.ended or self._refusing:
            self._call_over()

    def _end_stream(self, call_id: int) -> None:
        self._go_on(call_id)
        inbox = self._inboxes.pop(call_id, None)
        if inbox is not None:
            inbox.end(None)
            self._write(self._calls.took(call_id, inbox.clear()))

    def _on_message(self, event: MessageReceived) -> None:
        inbox = self._inboxes.get(event.call_id)
        if inbox is not None:
            inbox.put(event.payload)
        else:
            self._write(self._calls.took(event.call_id, len(event.payload)))

    def _on_requests_ended(self, event: RequestsEnded) -> None:
        inbox = self._inboxes.get(event.call_id)
        if inbox is not None:
            inbox.end(None)

    def _on_withdrawn(self, event: Withdrawn) -> None:
        running = self._running.get(event.call_id)
        if running is not None:
            self._cancel(running)

    def _expire(self, call_id: int) -> None:
        self._give_up(call_id, self._running[call_id], Status.DEADLINE_EXCEEDED, "no answer by the deadline")

    def _expire_unsent(self, call_id: int) -> None:
        message = "the caller took too little of the answer by the deadline"
        self._write(self._calls.give_up(call_id, library_status(Status.DEADLINE_EXCEEDED, message)))
        if self._refusing:
            self._call_over()

    def _bound_arrival(self) -> None:
        """A request that has begun to arrive holds memory and a slot: not for longer than its answer is waited for."""
        for call_id, intake in self._arriving.items():
            if call_id > self._slow_until and intake.header is not None:
                self._slow_until = call_id
                deadline = deadline_of(intake.header, intake.since)
                self._slow.add(intake.since + ARRIVAL if deadline is None else deadline, call_id)

    def _expire_arriving(self, call_id: int) -> None:
        self._write(self._calls.give_up(call_id, status_of(too_late())))
        if self._refusing:
            self._call_over()

    def _give_up(self, call_id: int, running: Running, status: Status, message: str) -> None:
        self._write(self._calls.give_up(call_id, library_status(status, message)))
        self._cancel(running)

    def _cancel(self, running: Running) -> None:
        if not running.given_up:
            running.given_up = running.scope.cancelled = True
            self._futures.cancel(running.future)
            running.scope.cancel()  # calls that the handler began and did not wait for

    def _stop_waiting(self) -> None:
        self._deadlines.stop()
        self._late.stop()
        self._slow.stop()

    @abc.abstractmethod
    def _call_over(self) -> None:
        """One has ended, and none may follow: it may have been the last."""


async def _await(work: Awaitable[Message]) -> Message:
    return await work
