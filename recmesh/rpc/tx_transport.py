"""A Twisted transport for a connection: sends early, joins what it can, and never hoards for a peer that does not read.

The first frame of a reactor turn goes to the socket directly, so that the peer can begin; those that follow in the same
turn leave together at its end. Twisted's own `write` would wait for the next turn and cost two more system calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection as TcpConnection
from twisted.python.failure import Failure
from zope.interface import implementer

from recmesh.rpc.connection import Connection

MAX_UNSENT = 64 << 20  # bytes; sixteen of the largest messages: a peer that lets more pile up does not read
LINGER = 1.0  # seconds between the last byte and the close, so that the peer reads why; a reset could overtake it


@implementer(IPullProducer)
class Outlet:
    """Is a recmesh.rpc.connection.Transport over a Twisted one."""

    def __init__(self, reactor: IReactorTime, transport: Any) -> None:
        self._reactor = reactor
        self._transport = transport  # an ITCPTransport that is an IConsumer too
        # Only a plain TCP connection may be sent to past its own buffer; TLS must encrypt first.
        self._socket = transport if isinstance(transport, TcpConnection) else None
        self._later: list[bytes] = []
        self._later_bytes = 0
        self._turn: IDelayedCall | None = None  # runs at the end of the turn that something was sent in
        self._blocked = False  # the socket takes no more; Twisted's buffer holds the rest of what was sent
        self._linger: IDelayedCall | None = None
        self.closed = False  # nothing more is written

    def write(self, data: bytes) -> None:
        if self.closed or not data:
            return
        if self._turn is None and not self._blocked:
            self._turn = self._reactor.callLater(0, self._end_turn)
            self._send(data)
            return
        self._later.append(data)
        self._later_bytes += len(data)
        if self._later_bytes > MAX_UNSENT:
            self.abort()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._stop_turn()
        rest, self._later = self._later, []
        if self._blocked:
            self._transport.unregisterProducer()
        self._transport.writeSequence(rest)
        self._linger = self._reactor.callLater(LINGER, self._transport.abortConnection)
        self._transport.loseWriteConnection()

    def abort(self) -> None:
        self.closed = True
        self._stop_turn()
        self._later.clear()
        self._transport.abortConnection()

    def lost(self) -> None:
        """The transport has closed."""
        self.closed = True
        self._stop_turn()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()

    def _stop_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _end_turn(self) -> None:
        self._turn = None
        if self._later and not self._blocked:
            self._send(self._take())

    def _take(self) -> bytes:
        data = b"".join(self._later)
        self._later.clear()
        self._later_bytes = 0
        return data

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            self._transport.write(data)
            return
        sent = self._socket.writeSomeData(data)
        if sent == len(data):
            return
        # What is left goes the usual way; so does an error, which Twisted meets again and reports.
        self._transport.write(data[sent:] if isinstance(sent, int) else data)
        self._transport.registerProducer(self, False)  # calls resumeProducing at once, too early to mean anything
        self._blocked = True

    def resumeProducing(self) -> None:
        """Twisted's buffer is empty."""
        if self._blocked:
            self._blocked = False
            self._transport.unregisterProducer()
            if self._later:
                self._send(self._take())

    def stopProducing(self) -> None:
        """The transport is lost, and says so to the protocol."""


class ConnectionProtocol(Protocol):
    """Hands the bytes of one Twisted transport to a connection."""

    def __init__(self, reactor: IReactorTime, connect: Callable[[Outlet, str], Connection]) -> None:
        self._reactor = reactor
        self._connect = connect

    def connectionMade(self) -> None:
        transport = cast(Any, self.transport)
        transport.setTcpNoDelay(True)  # else a second small request waits for the first one's acknowledgement
        peer = transport.getPeer()
        self._outlet = Outlet(self._reactor, transport)
        self.connection = self._connect(self._outlet, f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', 0)}")

    def dataReceived(self, data: bytes) -> None:
        if not self._outlet.closed:  # else read and dropped: a reset could overtake the last words to the peer
            self.connection.data_received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._outlet.lost()
        self.connection.connection_lost(reason.getErrorMessage().rstrip("."))
