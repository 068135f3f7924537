"""Between a Twisted transport and a line.

Twisted's `write` sends in the next turn and costs two system calls more than a send of one's own; so a plain socket is
sent to directly, and Twisted's buffer takes only what the socket refuses.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection as TcpConnection
from twisted.python.failure import Failure
from zope.interface import implementer

from recmesh.rpc.connection import outlet
from recmesh.rpc.connection.base import Timer
from recmesh.rpc.connection.line import Line
from recmesh.rpc.sockets import bound_unsent
from recmesh.rpc.tx.address import name_of

FULL_READ = 64 << 10  # bytes; Twisted reads as many at a time: when so many come, more is waiting
LARGE_READ = 256 << 10  # bytes of that, in one read, before others have their turn
WORTH_JOINING = 1 << 10  # bytes; larger parts are sent as they lie, since to join them costs more than a longer list
MOST_PARTS = 1_000  # that a system call takes; Linux and macOS take 1,024


class Turn:
    """While a line of this reactor handles what was read: what is written meanwhile leaves when that is done.

    A reactor's own timer for the end of its turn would cost more than the frames that it sends.
    """

    _of: ClassVar[WeakKeyDictionary[IReactorTime, Turn]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._depth = 0
        self._ends: list[Callable[[], None]] = []

    @classmethod
    def of(cls, reactor: IReactorTime) -> Turn:
        turn = cls._of.get(reactor)
        if turn is None:
            turn = cls._of[reactor] = Turn()
        return turn

    def at_end(self, reactor: IReactorTime, end: Callable[[], None]) -> Timer:
        if not self._depth:
            return reactor.callLater(0, end)
        self._ends.append(end)
        return self

    def cancel(self) -> None:
        """An outlet that was closed has nothing left to send at the end of a turn."""

    def read(self, receive: Callable[[bytes], None], outlet: Outlet, data: bytes) -> None:
        """Deals with what was read, and with some of what has come behind it."""
        self._deal(receive, data)
        data = outlet.more() if len(data) == FULL_READ else b""
        if data:
            outlet.eager = len(data) < FULL_READ  # else the other end is far ahead: one send is better than two
            try:
                self._deal(receive, data)
            finally:
                outlet.eager = True

    def _deal(self, receive: Callable[[bytes], None], data: bytes) -> None:
        self._depth += 1
        try:
            receive(data)
        finally:
            self._depth -= 1
            if self._ends and not self._depth:
                ends, self._ends = self._ends, []
                for end in ends:
                    end()


@implementer(IPullProducer, IPushProducer)
class Outlet(outlet.Outlet):
    """Writes to a Twisted transport."""

    def __init__(self, reactor: IReactorTime, transport: Any) -> None:
        turn = Turn.of(reactor)
        super().__init__(partial(turn.at_end, reactor))
        self._reactor = reactor
        self._transport = transport  # an ITransport and IConsumer
        # Another kind of transport, such as Twisted's own TLS, must see all bytes; it says when it has too many.
        self._socket = transport if isinstance(transport, TcpConnection) else None
        self._linger: IDelayedCall | None = None
        if self._socket is None:
            transport.registerProducer(self, True)

    def lost(self) -> None:
        super().lost()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()

    def _send(self, data: bytes) -> None:
        if self._stream is not None:
            data = self._stream.seal(data)
        if self._socket is None or self._blocked:
            self._transport.write(data)
            return
        try:
            sent = self._socket.socket.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            self._hand_over(data[sent:])

    def _send_later(self) -> None:
        parts, size = self._later, self._later_bytes
        scattered = len(parts) <= MOST_PARTS and size > WORTH_JOINING * len(parts)
        if not scattered or self._socket is None or self._stream is not None:
            super()._send_later()
            return
        try:
            sent = self._socket.socket.sendmsg(parts)
        except OSError:
            sent = 0
        if sent < size:
            self._hand_over(self._take()[sent:])
        else:
            self._forget()

    def _hand_over(self, rest: bytes) -> None:
        """What the socket refuses goes the usual way; so does an error, which Twisted meets again and reports."""
        self._transport.write(rest)
        self._transport.registerProducer(self, False)  # calls resumeProducing at once, too early to mean anything
        self._blocked = True

    def more(self) -> bytes:
        """What else has come, without another turn of the reactor; none at the end, which the reactor finds itself."""
        if self._socket is None or self.closed:
            return b""
        try:
            data: bytes = self._socket.socket.recv(LARGE_READ)
        except OSError:
            return b""
        return data

    def pauseProducing(self) -> None:
        self._blocked = True

    def resumeProducing(self) -> None:
        if self._blocked:
            if self._socket is not None:
                self._transport.unregisterProducer()
            self.unblocked()

    def stopProducing(self) -> None:
        """The transport is lost, and tells the protocol so."""

    def _finish(self, rest: bytes) -> None:
        if self._blocked or self._socket is None:
            self._transport.unregisterProducer()
        self._transport.write(rest)
        self._linger = self._reactor.callLater(outlet.LINGER, self._transport.abortConnection)
        if self._socket is not None:
            self._transport.loseWriteConnection()
        else:
            self._transport.loseConnection()

    def _abort(self) -> None:
        self._transport.abortConnection()


class LineProtocol(Protocol):
    """Hands the bytes of one Twisted transport to a line."""

    def __init__(self, reactor: IReactorTime, begin: Callable[[Outlet, str], Line]) -> None:
        self._reactor = reactor
        self._begin = begin

    def connectionMade(self) -> None:
        transport = cast(Any, self.transport)
        _tune(transport)
        outlet = Outlet(self._reactor, transport)
        self._line = line = self._begin(outlet, name_of(transport.getPeer()))
        # A step less for every read than a method would be.
        self.dataReceived = partial(  # type: ignore[method-assign]
            Turn.of(self._reactor).read, line.data_received, outlet
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._line.lost(reason.getErrorMessage().rstrip("."))


def _tune(transport: Any) -> None:
    with suppress(AttributeError, OSError):  # of a transport that is no TCP socket
        transport.setTcpNoDelay(True)  # else a second small request waits for the first one's acknowledgement
        bound_unsent(cast(socket.socket, transport.getHandle()))
