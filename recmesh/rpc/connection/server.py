"""The answering end of a connection, from its first bytes to its last."""

from __future__ import annotations

import logging
from collections.abc import Callable

from recmesh.rpc.call import Handlers, Service
from recmesh.rpc.connection.answers import Answers
from recmesh.rpc.connection.base import Alarm, Loop, Transport
from recmesh.rpc.connection.sniff import UPGRADE_REQUIRED, Spoken, spoken
from recmesh.rpc.frames import Limits
from recmesh.rpc.session.events import GoingAway, Greeted, Ponged
from recmesh.rpc.session.headers import library_status
from recmesh.rpc.session.server import ServerSession
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire

log = logging.getLogger(__name__)

DRAIN_PING = b"drained?"
DRAIN_PONG_TIMEOUT = 1.0  # seconds; a peer that does not answer the PING learns the last call id all the same
STOPPED = "the server has stopped"


class ServerConnection(Answers):
    """A connection that a server has accepted; `announce`d on, `drain`ed, and gone when its last handler has ended."""

    __slots__ = ("_drain_alarm", "_drain_ms", "_drain_reason", "_first", "_gone", "_known", "_state", "_warn")

    def __init__(
        self,
        loop: Loop,
        transport: Transport,
        handlers: Handlers,
        service: Service,
        limits: Limits,
        *,
        node_id: str = "",
        caller: str = "",
        principal: str = "",
        gone: Callable[[ServerConnection], None] = lambda connection: None,
        warn: Callable[..., object] = log.warning,
    ) -> None:
        super().__init__(loop, transport, handlers, service, ServerSession(limits, node_id), caller, principal)
        self._gone = gone  # called once, when the connection is lost and its last handler has ended
        self._warn = warn
        self._first = b""
        self._known = False  # the first bytes are this protocol's
        self._state: tuple[bool, wire.LoadReport | None] | None = None  # to tell a peer that has not said HELLO yet
        self._drain_ms: int | None = None
        self._drain_reason = "drain"
        self._drain_alarm = Alarm(loop)
        self._on[GoingAway] = lambda event: None  # the client closes when it has its answers

    def data_received(self, data: bytes) -> None:
        if not self._known:
            data = self._first + data
            if not self._recognise(data):
                return
        super().data_received(data)
        if self._arriving:
            self._bound_arrival()
        if self._refusing:
            self._close_if_done()

    def announce(self, serving: bool, load: wire.LoadReport | None = None) -> None:
        """Tells the peer how this process is."""
        if self.peer is None:
            self._state = serving, load
        else:
            self._write(self._calls.state(serving, load))

    def drain(self, grace: float, reason: str = "drain") -> None:
        """Says GOAWAY, answers the calls that came before it, closes; the peer is told that it has `grace` seconds."""
        self._drain_ms, self._drain_reason = int(grace * 1000), reason
        if self.peer is not None:  # else when it has said HELLO; it may have calls on their way
            self._begin_drain()

    def shut(self) -> None:
        """Ends the open calls as UNAVAILABLE and closes."""
        for call_id, running in list(self._running.items()):
            self._give_up(call_id, running, Status.UNAVAILABLE, STOPPED)
        for call_id in list(self._unsent):
            self._write(self._calls.give_up(call_id, library_status(Status.UNAVAILABLE, STOPPED)))
        self._transport.close()

    # The beginning and the end.

    def _recognise(self, first: bytes) -> bool:
        """Whether the peer speaks this protocol; if not, it is told so once, where that helps."""
        speaks = spoken(first)
        if speaks is Spoken.UNDECIDED:
            self._first = first
        elif speaks is Spoken.RECMESH:
            self._known = True
            self._transport.write(self._calls.hello())
        else:
            if speaks is Spoken.HTTP1:
                self._transport.write(UPGRADE_REQUIRED)
            self._known = self._calls.broken = True
            self._transport.close()
        return self._known

    def _no_hello(self) -> None:
        if self._known:
            super()._no_hello()
        else:  # whatever it speaks, it has said nothing
            self._transport.abort()

    def _on_greeted(self, event: Greeted) -> None:
        super()._on_greeted(event)
        if self._state is not None:
            self._write(self._calls.state(*self._state))
        if self._drain_ms is not None:
            self._begin_drain()

    def _on_ponged(self, event: Ponged) -> None:
        if event.payload == DRAIN_PING and self._drain_alarm.is_set:
            self._drain_alarm.stop()
            self._refuse_later_calls()

    def _begin_drain(self) -> None:
        self._transport.write(self._calls.drain(self._drain_ms or 0, self._drain_reason) + self._calls.ping(DRAIN_PING))
        self._drain_alarm.set(DRAIN_PONG_TIMEOUT, self._refuse_later_calls)

    def _push(self) -> None:
        super()._push()
        if self._refusing and not self.ended:
            self._close_if_done()

    def _refuse_later_calls(self) -> None:
        self._refusing = True
        self._transport.write(self._calls.refuse_later_calls(self._drain_ms or 0, self._drain_reason))
        self._close_if_done()

    def _call_over(self) -> None:
        if not self.ended:
            self._close_if_done()
        elif not self._running:
            self._gone(self)

    def _close_if_done(self) -> None:
        if not self._calls.busy:
            self._transport.close()

    def _on_end(self, reason: str) -> None:
        self._stop_waiting()
        self._drain_alarm.stop()
        if self._why_ended:
            self._warn("closed the connection of %s: %s", self._caller, self._why_ended)
        if not self._running:
            self._gone(self)
        for running in list(self._running.values()):
            self._cancel(running)
