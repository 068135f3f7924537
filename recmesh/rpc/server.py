"""A server: the connections of one address, from the first to the last. What tx and aio add is how to listen."""

from __future__ import annotations

import abc
import logging
import random
from dataclasses import dataclass
from math import inf
from typing import Any

from recmesh.rpc.call import Handlers, Service
from recmesh.rpc.connection.base import Alarm, Loop
from recmesh.rpc.connection.idle import IdleWatch
from recmesh.rpc.connection.line import Line, TlsLine, TlsServerLine, turn_away
from recmesh.rpc.connection.outlet import Outlet
from recmesh.rpc.connection.seldom import Seldom
from recmesh.rpc.connection.server import ServerConnection
from recmesh.rpc.frames import Limits
from recmesh.rpc.status import Status
from recmesh.rpc.tls.files import Identity
from recmesh.rpc.tls.stream import TlsStream
from recmesh.wire.v1 import wire_pb2 as wire

log = logging.getLogger(__name__)

LAST_WORDS = 2.0  # seconds for cancelled handlers to end and for clients to read why: longer than outlet.LINGER
BACKLOG = 511  # connections the kernel holds until they are accepted: a burst of clients at a restart
AGE_SPREAD = 0.1  # of the age, either way, so that clients that came together do not come back together
TURNED_AWAY = 100  # connections over the limit that are told so at once; those beyond are closed without a word


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a server holds, and how long each. `inf` for a time: never."""

    most: int = 10_000  # a file descriptor and, while idle, some 12 KiB each
    # An old connection is drained while its client makes another: so clients meet the servers that came later, and
    # certificates that were changed.
    max_age: float = 600.0  # seconds
    age_grace: float = 30.0  # seconds for the calls of an old connection, streams among them, to end
    max_idle: float = 600.0  # seconds without a call

    def __post_init__(self) -> None:
        if self.most < 1 or min(self.max_age, self.age_grace, self.max_idle) <= 0:
            raise ValueError("most must be at least 1, and max_age, age_grace and max_idle above 0 seconds")


DEFAULT_CONNECTIONS = ConnectionLimits()


@dataclass(frozen=True, slots=True)
class Answering:
    """What a server does with a call, and what its connections are told."""

    handlers: Handlers
    service: Service  # the handlers behind their filters
    limits: Limits
    node_id: str = ""


class Server(abc.ABC):
    """Answers the calls of every client that connects to one address."""

    def __init__(
        self,
        loop: Loop,
        answering: Answering,
        connections: ConnectionLimits = DEFAULT_CONNECTIONS,
        identity: Identity | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.address = ""  # the one really bound: "host:port" or "unix:/path"
        self._loop = loop
        self._answering = answering
        self._bounds = connections
        self._identity = identity
        self._chance = chance or random.Random()
        self._lines: set[Line] = set()  # open sockets, with a connection or without
        self._open: dict[ServerConnection, Keeper] = {}  # until the last handler has ended
        self._emptied: list[Any] = []  # futures, resolved when the last of both has gone
        self._told: tuple[bool, wire.LoadReport | None] = (True, None)
        self._grace: float | None = None  # of a drain under way, also for a socket that opened at its beginning
        self._stopped = False
        self._too_many = Seldom(loop, log.warning)
        self._no_tls = Seldom(loop, log.warning)
        self._closed = Seldom(loop, log.warning)

    @property
    def connections(self) -> int:
        return len(self._open)

    @property
    def in_flight(self) -> int:
        return sum(each.in_flight for each in self._open)

    def announce(self, serving: bool, load: wire.LoadReport | None = None) -> None:
        """Tells clients, those that come later too, whether balancers should send calls here, and how busy it is."""
        self._told = serving, load
        for each in self._open:
            each.announce(serving, load)

    async def drain(self, grace: float, accept_for: float = 0.0) -> None:
        """Says that it serves no more, but does for `accept_for` seconds; then GOAWAY, and `grace` for open calls."""
        self.announce(False)
        if accept_for > 0:
            await self._until(self._loop.futures.create_future(), accept_for)
        await self._stop_listening()
        self._grace = grace
        for each in list(self._open):
            each.drain(grace)
        await self._gone_within(grace)
        await self._shut()

    async def close(self) -> None:
        """Ends every call and connection at once."""
        await self._stop_listening()
        await self._shut()

    @abc.abstractmethod
    async def _stop_listening(self) -> None:
        """Takes no more connections; harmless when done twice."""

    # For the glue: a socket has opened.

    def _accept(self, outlet: Outlet, caller: str) -> Line:
        if self._stopped:
            outlet.abort()
            line = Line(outlet)
        elif len(self._lines) >= self._bounds.most:
            line = self._turn_away(outlet)
        elif self._identity is None:
            line = Line(outlet, self._connect(outlet, caller, ""))
        else:
            line = self._shake_hands(self._identity, outlet, caller)
        line.on_lost = self._lost
        self._lines.add(line)
        return line

    def _turn_away(self, outlet: Outlet) -> Line:
        most = self._bounds.most
        self._too_many.say("a client was turned away: %d connections are open, as many as may be", most)
        if len(self._lines) < most + TURNED_AWAY and self._identity is None:
            return turn_away(outlet, Status.UNAVAILABLE, f"the server has {most} connections, as many as it takes")
        outlet.abort()
        return Line(outlet)

    def _shake_hands(self, identity: Identity, outlet: Outlet, caller: str) -> Line:
        def failed(reason: str) -> None:
            self._no_tls.say("no connection for %s: %s", caller, reason)

        def connect(principal: str) -> ServerConnection:
            return self._connect(outlet, caller, principal)

        return TlsServerLine(self._loop, outlet, TlsStream(identity), connect, failed)

    def _connect(self, outlet: Outlet, caller: str, principal: str) -> ServerConnection:
        does = self._answering
        connection = ServerConnection(
            self._loop,
            outlet,
            does.handlers,
            does.service,
            does.limits,
            node_id=does.node_id,
            caller=caller,
            principal=principal,
            gone=self._gone,
            warn=self._closed.say,
        )
        age = self._bounds.max_age * self._chance.uniform(1 - AGE_SPREAD, 1 + AGE_SPREAD)
        self._open[connection] = Keeper(self._loop, connection, self._bounds, age)
        if self._told != (True, None):
            connection.announce(*self._told)
        if self._grace is not None:
            connection.drain(self._grace)
        return connection

    # The end.

    def _lost(self, line: Line) -> None:
        self._lines.discard(line)
        self._check_emptied()

    def _gone(self, connection: ServerConnection) -> None:
        self._open.pop(connection).stop()
        self._check_emptied()

    def _check_emptied(self) -> None:
        if not self._open and not self._lines:
            for each in list(self._emptied):
                self._resolve(each)

    async def _shut(self) -> None:
        self._stopped = True
        for line in list(self._lines):
            if isinstance(line, TlsLine):
                line.give_up()
        for each in list(self._open):
            each.shut()
        await self._gone_within(LAST_WORDS)
        if self._open:
            log.warning("stopped without %d calls whose handlers did not end when cancelled", self.in_flight)

    async def _gone_within(self, seconds: float) -> None:
        """Waits for the last connection to go, but no longer than that."""
        if self._open or self._lines:
            emptied = self._loop.futures.create_future()
            self._emptied.append(emptied)
            try:
                await self._until(emptied, seconds)
            finally:
                self._emptied.remove(emptied)

    async def _until(self, future: Any, seconds: float) -> None:
        """Waits for the future, or that many seconds."""
        alarm = Alarm(self._loop)
        alarm.set(seconds, lambda: self._resolve(future))
        try:
            await future
        finally:
            alarm.stop()

    def _resolve(self, future: Any) -> None:
        if not self._loop.futures.is_called(future):
            self._loop.futures.resolve(future, None)


class Keeper:
    """Ends a connection that is old, or that nobody uses."""

    def __init__(self, loop: Loop, connection: ServerConnection, bounds: ConnectionLimits, age: float) -> None:
        self._connection = connection
        self._grace = bounds.age_grace
        self._idle = IdleWatch(loop, connection, bounds.max_idle, self._drain)
        self._age = Alarm(loop)
        if age < inf:
            self._age.set(age, self._drain)

    def stop(self) -> None:
        self._age.stop()
        self._idle.stop()

    def _drain(self) -> None:
        self._idle.stop()
        self._connection.drain(self._grace)
        self._age.set(self._grace, self._connection.shut)
