"""Calls under Twisted: Clock, Endpoint to call with, listen and Server to answer with."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import IListeningPort, IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from txaio import tx

from recmesh.rpc import endpoint
from recmesh.rpc.address import join_address, split_address
from recmesh.rpc.call import Filter, Handlers, Service, stack
from recmesh.rpc.connection import Timer
from recmesh.rpc.connection_client import ClientConnection
from recmesh.rpc.connection_server import ServerConnection
from recmesh.rpc.frames import DEFAULTS, Limits
from recmesh.rpc.tx_clock import Clock
from recmesh.rpc.tx_transport import ConnectionProtocol, Outlet

__all__ = ["Clock", "Endpoint", "Server", "listen"]

log = logging.getLogger(__name__)

LAST_WORDS = 2.0  # seconds for cancelled handlers to end and for clients to read why: longer than outlet.LINGER
BACKLOG = 511  # connections the kernel holds until they are accepted: a burst of clients at a restart


class _Loop:
    """A reactor as a recmesh.rpc.connection.Loop."""

    def __init__(self, reactor: IReactorTime) -> None:
        self.futures: ModuleType = tx
        self.seconds: Callable[[], float] = reactor.seconds
        self.call_later: Callable[[float, Callable[[], object]], Timer] = reactor.callLater


class Endpoint(endpoint.Endpoint):
    """Is a Service: sends calls to one address, over one connection, made at the first call and again when lost."""

    def __init__(
        self,
        reactor: IReactorTime,
        address: str,
        *,
        limits: Limits = DEFAULTS,
        node_id: str = "",
        connect_timeout: float = endpoint.CONNECT_TIMEOUT,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(_Loop(reactor), address, limits, node_id, connect_timeout, chance)
        self._reactor = reactor
        self._host, self._port = split_address(address)
        self._attempt: Deferred[IProtocol] | None = None

    def _dial(self) -> None:
        factory = Factory.forProtocol(lambda: ConnectionProtocol(self._reactor, self._over))
        factory.noisy = False
        reactor = cast(Any, self._reactor)
        self._attempt = attempt = _target(reactor, self._host, self._port, self._connect_timeout).connect(factory)
        attempt.addErrback(lambda failure: self._unreachable(failure.getErrorMessage().rstrip(".")))

    def _hang_up(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()

    def _over(self, outlet: Outlet, peer: str) -> ClientConnection:
        self._attempt = None
        return self._opened(outlet)


def _target(reactor: Any, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
    if isIPAddress(host):
        return TCP4ClientEndpoint(reactor, host, port, timeout=timeout)
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port, timeout=timeout)
    return HostnameEndpoint(reactor, host, port, timeout=timeout)


class Server:
    """Answers the calls of every client that connects to one address. `listen` makes it."""

    def __init__(
        self, reactor: IReactorTime, handlers: Handlers, service: Service, limits: Limits, node_id: str
    ) -> None:
        self.address = ""  # host:port, the port really bound
        self._reactor = reactor
        self._loop = _Loop(reactor)
        self._handlers = handlers
        self._service = service
        self._limits = limits
        self._node_id = node_id
        self._port: IListeningPort | None = None
        self._open: set[ServerConnection] = set()
        self._emptied: list[Deferred[None]] = []  # each fires when the last connection has gone

    @property
    def connections(self) -> int:
        return len(self._open)

    @property
    def in_flight(self) -> int:
        return sum(each.in_flight for each in self._open)

    async def drain(self, grace: float, accept_for: float = 0.0) -> None:
        """Accepts for `accept_for` more seconds; then says GOAWAY, and gives open calls at most `grace` seconds."""
        if accept_for > 0:
            await deferLater(self._reactor, accept_for)
        await self._stop_listening()
        for each in list(self._open):
            each.drain(grace)
        await self._gone_within(grace)
        await self._shut()

    async def close(self) -> None:
        """Ends every call and connection at once."""
        await self._stop_listening()
        await self._shut()

    async def _listen(self, host: str, port: int) -> None:
        factory = Factory.forProtocol(lambda: ConnectionProtocol(self._reactor, self._accept))
        factory.noisy = False
        target = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
        self._port = await target(cast(Any, self._reactor), port, backlog=BACKLOG, interface=host).listen(factory)
        bound: Any = self._port.getHost()
        self.address = join_address(bound.host, bound.port)

    async def _shut(self) -> None:
        for each in list(self._open):
            each.shut()
        await self._gone_within(LAST_WORDS)
        if self._open:
            log.warning("stopped without %d calls whose handlers did not end when cancelled", self.in_flight)

    async def _gone_within(self, seconds: float) -> None:
        """Waits for the last connection to go, but no longer than that."""
        if self._open:
            gone: Deferred[None] = Deferred()
            timer = self._reactor.callLater(seconds, gone.callback, None)
            self._emptied.append(gone)
            try:
                await gone
            finally:
                self._emptied.remove(gone)
                if timer.active():
                    timer.cancel()

    async def _stop_listening(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def _accept(self, outlet: Outlet, caller: str) -> ServerConnection:
        connection = ServerConnection(
            self._loop,
            outlet,
            self._handlers,
            self._service,
            self._limits,
            node_id=self._node_id,
            caller=caller,
            gone=self._gone,
        )
        self._open.add(connection)
        return connection

    def _gone(self, connection: ServerConnection) -> None:
        self._open.discard(connection)
        for each in [] if self._open else list(self._emptied):
            if not each.called:
                each.callback(None)


async def listen(
    reactor: IReactorTime,
    address: str,
    handlers: Handlers,
    *,
    filters: Sequence[Filter] = (),
    limits: Limits = DEFAULTS,
    node_id: str = "",
) -> Server:
    """Serves `handlers`, behind `filters`; CannotListenError for a taken port. Port 0 takes any free one."""
    host, port = split_address(address)
    server = Server(reactor, handlers, stack(*filters, to=handlers), limits, node_id)
    await server._listen(host, port)
    return server
