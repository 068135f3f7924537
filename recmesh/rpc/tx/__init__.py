"""Calls under Twisted: Clock, Endpoint to call with, listen and Server to answer with."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

from twisted.internet import error
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from txaio import tx

from recmesh.rpc import endpoint, server
from recmesh.rpc.address import unix_path
from recmesh.rpc.call import Filter, Handlers, stack
from recmesh.rpc.connection.base import Timer
from recmesh.rpc.connection.line import Line
from recmesh.rpc.connection.outlet import Outlet
from recmesh.rpc.frames import DEFAULTS, Limits
from recmesh.rpc.server import DEFAULT_CONNECTIONS, Answering, ConnectionLimits
from recmesh.rpc.tls import Tls, TlsError
from recmesh.rpc.tls.files import Identity, identity_of
from recmesh.rpc.tx.address import ENCRYPTED, client_endpoint, listen_on, name_of
from recmesh.rpc.tx.clock import Clock, use_monotonic_clock
from recmesh.rpc.tx.transport import LineProtocol
from recmesh.rpc.unix import file_of

__all__ = ["Clock", "ConnectionLimits", "Endpoint", "Server", "Tls", "TlsError", "listen", "use_monotonic_clock"]


class Loop:
    """A reactor as a recmesh.rpc.connection.base.Loop."""

    def __init__(self, reactor: IReactorTime) -> None:
        self.futures: ModuleType = tx
        self.future: Callable[[], Deferred[Any]] = Deferred
        self.tasks = False
        self.seconds: Callable[[], float] = reactor.seconds
        self.call_later: Callable[[float, Callable[[], object]], Timer] = reactor.callLater

    def settle(self, future: Deferred[Any], result: object) -> None:
        if not future.called:
            future.callback(result)


def _factory(reactor: IReactorTime, begin: Callable[[Outlet, str], Line]) -> Factory[Any]:
    factory: Factory[Any] = Factory.forProtocol(lambda: LineProtocol(reactor, begin))
    factory.noisy = False
    return factory


class Endpoint(endpoint.Endpoint):
    """Is a Service: sends calls to one address, over one connection, made at the first call and again when lost.

    The address is "host:port", "unix:/path" or a Twisted endpoint string; ValueError for anything else.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        address: str,
        *,
        limits: Limits = DEFAULTS,
        node_id: str = "",
        connect_timeout: float = endpoint.CONNECT_TIMEOUT,
        chance: random.Random | None = None,
        tls: Tls | Identity | None = None,
        max_idle: float = endpoint.MAX_IDLE,
    ) -> None:
        _check_layers(address, tls)
        super().__init__(Loop(reactor), address, limits, node_id, connect_timeout, chance, tls=tls, max_idle=max_idle)
        self._target = client_endpoint(reactor, address, connect_timeout)
        self._factory = _factory(reactor, self._over)
        self._reactor = reactor
        self._attempt: Deferred[IProtocol] | None = None

    def _dial(self) -> None:
        self._attempt = attempt = self._target.connect(self._factory)
        attempt.addTimeout(self._connect_timeout, self._reactor)  # not every kind of endpoint has one
        attempt.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if failure.check(error.TimeoutError, TimeoutError):
            self._unreachable(f"no connection within {self._connect_timeout:g} s")
        else:
            self._unreachable(failure.getErrorMessage().rstrip("."))

    def _hang_up(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()

    def _over(self, outlet: Outlet, peer: str) -> Line:
        self._attempt = None
        return self._begin(outlet)


class Server(server.Server):
    """Answers the calls of every client that connects to one address. `listen` makes it."""

    _port: Any = None  # an IListeningPort
    _file: tuple[int, int] | None = None

    async def _listen(self, reactor: Any, address: str) -> None:
        self._port = await listen_on(reactor, address, _factory(reactor, self._accept))
        self.address = name_of(self._port.getHost())
        self._file = file_of(unix_path(self.address))

    async def _stop_listening(self) -> None:
        port, self._port = self._port, None
        if port is None:
            return
        if file_of(unix_path(self.address)) == self._file:
            await maybeDeferred(port.stopListening)
        else:  # Twisted would remove what is at the place of the socket's file by now
            port.stopReading()
            port.socket.close()


async def listen(
    reactor: IReactorTime,
    address: str,
    handlers: Handlers,
    *,
    filters: Sequence[Filter] = (),
    limits: Limits = DEFAULTS,
    node_id: str = "",
    connections: ConnectionLimits = DEFAULT_CONNECTIONS,
    tls: Tls | Identity | None = None,
    chance: random.Random | None = None,
) -> Server:
    """Serves `handlers`, behind `filters`; CannotListenError for a taken port. Port 0 takes any free one.

    The address is "host:port", "unix:/path" or a Twisted endpoint string; ValueError for anything else.
    """
    _check_layers(address, tls)
    answering = Answering(handlers, stack(*filters, to=handlers), limits, node_id)
    listening = Server(Loop(reactor), answering, connections, identity_of(tls, server=True), chance)
    await listening._listen(cast(Any, reactor), address)
    return listening


def _check_layers(address: str, tls: Tls | Identity | None) -> None:
    if tls is not None and ENCRYPTED.match(address):
        raise ValueError(f"{address!r} has TLS of its own; give either such an address or `tls`")
