"""Between a Twisted transport and a connection.

Twisted's `write` sends in the next turn and costs two system calls more than a send of one's own; so a plain TCP socket
is sent to directly, and Twisted's buffer takes only what the socket refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection as TcpConnection
from twisted.python.failure import Failure
from zope.interface import implementer

from recmesh.rpc import outlet
from recmesh.rpc.address import join_address
from recmesh.rpc.connection import Connection


@implementer(IPullProducer)
class Outlet(outlet.Outlet):
    """Writes to a Twisted transport."""

    def __init__(self, reactor: IReactorTime, transport: Any) -> None:
        super().__init__(lambda end: reactor.callLater(0, end))
        self._reactor = reactor
        self._transport = transport  # an ITCPTransport and IConsumer
        # TLS must encrypt first, so that only a plain TCP connection can be sent to past its own buffer.
        self._socket = transport if isinstance(transport, TcpConnection) else None
        self._linger: IDelayedCall | None = None

    def lost(self) -> None:
        super().lost()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()

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
        if self._blocked:
            self._transport.unregisterProducer()
            self.unblocked()

    def stopProducing(self) -> None:
        """The transport is lost, and tells the protocol so."""

    def _finish(self, rest: bytes) -> None:
        if self._blocked:
            self._transport.unregisterProducer()
        self._transport.write(rest)
        self._linger = self._reactor.callLater(outlet.LINGER, self._transport.abortConnection)
        self._transport.loseWriteConnection()

    def _abort(self) -> None:
        self._transport.abortConnection()


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
        self._connection = self._connect(self._outlet, join_address(peer.host, peer.port))

    def dataReceived(self, data: bytes) -> None:
        if not self._outlet.closed:  # else read and dropped, so that no reset overtakes the last words to the peer
            self._connection.data_received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._outlet.lost()
        self._connection.connection_lost(reason.getErrorMessage().rstrip("."), self._outlet.why)
