"""Calls to one address, whichever connection carries them: made at the first call, made again when lost.

What tx and aio add is how to dial. A connection that nobody uses is closed, and the next call makes another.
"""

from __future__ import annotations

import abc
import random
from collections.abc import Coroutine
from typing import Any

from google.protobuf.message import Message

from recmesh.rpc.address import host_of
from recmesh.rpc.call import Call
from recmesh.rpc.connection.base import Alarm, Deadlines, Loop, Transport
from recmesh.rpc.connection.client import ClientConnection
from recmesh.rpc.connection.idle import IdleWatch
from recmesh.rpc.connection.line import Line, TlsLine
from recmesh.rpc.connection.outlet import Outlet
from recmesh.rpc.frames import Limits
from recmesh.rpc.session.client import unsent
from recmesh.rpc.session.headers import FAR
from recmesh.rpc.status import RpcError, Status
from recmesh.rpc.tls import Tls
from recmesh.rpc.tls.files import Identity, identity_of
from recmesh.rpc.tls.stream import TlsStream
from recmesh.wire.v1 import wire_pb2 as wire

CONNECT_TIMEOUT = 2.0  # seconds; a host that answers at all does so sooner
BACKOFF_FIRST, BACKOFF_FACTOR, BACKOFF_MOST = 0.1, 1.6, 10.0  # seconds between attempts to connect
BACKOFF_SPREAD = 0.2  # of it, either way, so that many clients of one server do not come back at once
MAX_WAITING = 1_024  # calls that wait for a connection: as many as one connection takes by default
MAX_IDLE = 300.0  # seconds without a call until a connection is closed: sooner than a server would close it
SHORT_LIVED = 1.0  # seconds; a connection lost sooner counts as a failed attempt: its server is not to be hammered


class Endpoint(abc.ABC):
    """Is a Service; whatever goes wrong with a connection is an RpcError."""

    def __init__(
        self,
        loop: Loop,
        address: str,
        limits: Limits,
        node_id: str = "",
        connect_timeout: float = CONNECT_TIMEOUT,
        chance: random.Random | None = None,
        *,
        tls: Tls | Identity | None = None,
        max_idle: float = MAX_IDLE,
    ) -> None:
        """With `tls` nothing is ever said in the clear. Endpoints may share an Identity, and so read files once."""
        self.address = address
        self._identity = identity_of(tls, server=False)
        self._check_identity()
        self._max_idle = max_idle
        self._idle: IdleWatch | None = None
        self._unused: ClientConnection | None = None  # closed because nobody used it: no other follows at once
        self._handshake: TlsLine | None = None
        self._loop = loop
        self._limits = limits
        self._node_id = node_id
        self._connect_timeout = connect_timeout
        self._chance = chance or random.Random()
        self._current: ClientConnection | None = None  # the one that takes calls
        self._leaving: set[ClientConnection] = set()  # those whose last calls go on
        self._dialing = False
        self._retry = Alarm(loop)  # set while backing off
        self._failures = 0  # attempts to connect, one after another
        self._why = ""  # the last of them failed
        self._waiting: dict[int, Any] = {}  # futures of calls that wait for a connection: of None or an RpcError
        self._waiters = 0
        self._patience = Deadlines(loop, self._waiting, self._lose_patience)
        self._closed = False
        self._emptied: Any = None  # future of the end of the last connection, once closed

    @property
    def state(self) -> str:
        """ "idle", "connecting", "ready", "draining" or "backing off"; one that drains still takes calls."""
        if self._current is not None:
            return "ready" if self._current.serving else "draining"
        if self._dialing:
            return "connecting"
        if self._retry.is_set:
            return "backing off"
        return "draining" if self._leaving else "idle"

    @property
    def in_flight(self) -> int:
        on_current = self._current.in_flight if self._current is not None else 0
        return on_current + sum(each.in_flight for each in self._leaving) + len(self._waiting)

    @property
    def serving(self) -> bool:
        """Whether the server wants calls, as it last said; those that come all the same are answered while it can."""
        if self._current is not None:
            return self._current.serving
        return all(each.serving for each in self._leaving)

    @property
    def load(self) -> wire.LoadReport | None:
        """How busy the server is, as it last said."""
        return self._current.load if self._current is not None else None

    @property
    def peer(self) -> wire.Hello | None:
        return self._current.peer if self._current is not None else None

    def __call__(self, call: Call) -> Coroutine[Any, Any, Message]:
        connection = self._current
        if connection is not None and connection.takes_calls:
            return connection(call)
        return self._once_connected(call)

    async def _once_connected(self, call: Call) -> Message:
        connection = self._current
        while connection is None or not connection.takes_calls:
            if connection is not None:
                connection.retire()  # its ids are used up, or its server broke the protocol
            connection = await self._connected(call.context.deadline)
        return await connection(call)

    async def close(self) -> None:
        """Cancels the open calls, ends the connection, and makes no other."""
        if not self._closed:
            self._closed = True
            self._patience.stop()
            self._retry.stop()
            self._hang_up()
            if self._handshake is not None:
                self._handshake.give_up()
            self._wake(RpcError(Status.CANCELLED, "the endpoint was closed"))
            for connection in self._connections():
                connection.shut()
        if self._connections():
            self._emptied = self._emptied or self._loop.futures.create_future()
            await self._emptied

    # How to reach the address: for tx and aio.

    @abc.abstractmethod
    def _dial(self) -> None:
        """Begins to connect; `_opened` or `_unreachable` follows."""

    @abc.abstractmethod
    def _hang_up(self) -> None:
        """Gives up connecting, if it is under way."""

    def _begin(self, outlet: Outlet) -> Line:
        """What a socket's bytes go to, once it has opened."""
        if self._identity is None:
            return Line(outlet, self._opened(outlet))
        stream = TlsStream(self._identity, host_of(self.address))
        line = TlsLine(self._loop, outlet, stream, lambda principal: self._opened(outlet), self._unreachable)
        self._handshake = line
        line.begin()
        return line

    def _opened(self, transport: Transport) -> ClientConnection:
        self._dialing, self._handshake = False, None
        connection = ClientConnection(self._loop, transport, self, self._limits, self._node_id)
        if self._closed:
            self._leaving.add(connection)
            connection.shut()
        else:
            self._current = connection
            self._idle = IdleWatch(self._loop, connection, self._max_idle, lambda: self._rest(connection))
            self._wake(None)
        return connection

    def _unreachable(self, reason: str) -> None:
        self._dialing, self._handshake = False, None
        if not self._closed:
            self._back_off(reason)

    # What a connection tells.

    def leaving(self, connection: ClientConnection) -> None:
        if self._current is connection:
            self._current = None
            self._leaving.add(connection)
            self._stop_watching()
            # One that grew old gives way to another at once; a server that stops has said so before.
            if connection.serving and connection is not self._unused and self._lived(connection) and self._may_dial:
                self._failures = 0
                self._dial_now()

    def lost(self, connection: ClientConnection, reason: str) -> None:
        self._leaving.discard(connection)
        if self._current is connection:
            self._current = None
            self._stop_watching()
        if self._closed:
            if self._emptied is not None and not self._connections():
                self._loop.futures.resolve(self._emptied)
        elif self._unused is connection:
            self._unused = None
        elif self._current is None and self._may_dial:
            if self._lived(connection):
                self._failures = 0
                self._dial_now()
            else:
                self._back_off(reason)

    # The next connection.

    async def _connected(self, deadline: float | None) -> ClientConnection | None:
        """Waits until there is a connection; NOT_SENT when there will be none soon."""
        if self._closed:
            raise unsent(Status.CANCELLED, "the endpoint is closed")
        if self._retry.is_set:
            raise unsent(Status.UNAVAILABLE, f"{self.address} cannot be reached: {self._why}")
        if len(self._waiting) >= MAX_WAITING:
            raise unsent(Status.UNAVAILABLE, f"{MAX_WAITING} calls wait for a connection to {self.address}")
        if not self._dialing and self._current is None:
            self._dial_now()
        if self._current is None:
            await self._wait(deadline)
        return self._current

    async def _wait(self, deadline: float | None) -> None:
        self._waiters += 1
        key = self._waiters
        future = self._waiting[key] = self._loop.futures.create_future()
        if deadline is not None and deadline - self._loop.seconds() < FAR:
            self._patience.add(deadline, key)
        try:
            error = await future
        finally:
            self._waiting.pop(key, None)
        if error is not None:
            raise unsent(error.status, error.message)

    def _wake(self, error: RpcError | None) -> None:
        for key in list(self._waiting):
            self._wake_one(key, error)

    def _wake_one(self, key: int, error: RpcError | None) -> None:
        future = self._waiting.pop(key, None)
        if future is not None and not self._loop.futures.is_called(future):
            self._loop.futures.resolve(future, error)

    def _lose_patience(self, key: int) -> None:
        message = f"no connection to {self.address} by the deadline"
        self._wake_one(key, RpcError(Status.DEADLINE_EXCEEDED, message))

    def _dial_now(self) -> None:
        self._dialing = True
        self._dial()

    def _back_off(self, reason: str) -> None:
        self._why = reason
        delay = min(BACKOFF_MOST, BACKOFF_FIRST * BACKOFF_FACTOR**self._failures)
        self._failures = min(self._failures + 1, 50)  # far past the longest delay, and no float overflows
        delay *= self._chance.uniform(1 - BACKOFF_SPREAD, 1 + BACKOFF_SPREAD)
        self._retry.set(delay, self._dial_now)
        self._wake(RpcError(Status.UNAVAILABLE, f"{self.address} cannot be reached: {reason}"))

    @property
    def _may_dial(self) -> bool:
        return not (self._closed or self._dialing or self._retry.is_set)

    def _lived(self, connection: ClientConnection) -> bool:
        return connection.peer is not None and self._loop.seconds() - connection.since >= SHORT_LIVED

    def _rest(self, connection: ClientConnection) -> None:
        """Closes a connection that nobody uses."""
        self._unused = connection
        connection.retire()

    def _stop_watching(self) -> None:
        if self._idle is not None:
            self._idle.stop()

    def _check_identity(self) -> None:
        identity = self._identity
        if identity is not None and not identity.tls.peers and not host_of(self.address):
            raise ValueError(f"{self.address} names no host to check a certificate against; give Tls its `peers`")

    def _connections(self) -> list[ClientConnection]:
        current = [self._current] if self._current is not None else []
        return [*current, *self._leaving]
