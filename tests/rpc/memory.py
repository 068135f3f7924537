"""Clients and servers joined in memory, on a clock that the test moves: whole endpoints, whole servers, no socket."""

from __future__ import annotations

import random
from typing import Any

from recmesh.rpc import Handlers, endpoint, server, stack
from recmesh.rpc.connection import outlet
from recmesh.rpc.connection.line import Line
from recmesh.rpc.frames import DEFAULTS
from recmesh.rpc.server import Answering, ConnectionLimits
from recmesh.rpc.tls import Tls
from recmesh.rpc.tls.files import identity_of
from recmesh.testing import FakeClock, Loop


class MemoryOutlet(outlet.Outlet):
    """Keeps what a socket would be given."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(lambda end: clock.reactor.callLater(0, end))
        self.sent = bytearray()
        self.over = False

    def _send(self, data: bytes) -> None:
        self.sent += data if self._stream is None else self._stream.seal(data)

    def _finish(self, rest: bytes) -> None:
        self.sent += rest
        self.over = True

    def _abort(self) -> None:
        self.sent.clear()
        self.over = True


class Server(server.Server):
    """Is connected to by `Client`s."""

    listening = True

    async def _stop_listening(self) -> None:
        self.listening = False

    def accept(self, outlet: MemoryOutlet, caller: str) -> Line:
        return self._accept(outlet, caller)


class Client(endpoint.Endpoint):
    """Dials a server of its network."""

    def __init__(self, network: Network, there: Server, name: str, **options: Any) -> None:
        self._network = network
        self._there = there
        self._name = name
        super().__init__(network.loop, "there:7000", DEFAULTS, name, chance=random.Random(1), **options)

    def _dial(self) -> None:
        if self._there.listening:
            self._network.clock.reactor.callLater(0, self._connect)
        else:
            self._network.clock.reactor.callLater(0, self._unreachable, "connection refused")

    def _connect(self) -> None:
        up, down = MemoryOutlet(self._network.clock), MemoryOutlet(self._network.clock)
        server_line = self._there.accept(down, self._name)
        self._network.sockets.append(Socket(up, self._begin(up), down, server_line))

    def _hang_up(self) -> None:
        """What was dialed is connected in the same moment."""


class Socket:
    """Carries bytes between two ends."""

    def __init__(self, up: MemoryOutlet, client: Line, down: MemoryOutlet, server: Line) -> None:
        self.up, self.down = up, down
        self._ends = ((up, server), (down, client))
        self.closed = False

    def move(self) -> bool:
        moved = False
        for source, to in self._ends:
            data = bytes(source.sent)
            source.sent.clear()
            if data:
                to.data_received(data)
                moved = True
        if not moved and (self.up.over or self.down.over):
            self.close()
            return True
        return moved

    def close(self, reason: str = "closed") -> None:
        self.closed = True
        for _, line in self._ends:
            line.lost(reason)


class Network:
    """What moves bytes and time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop: Any = Loop(self.clock)
        self.sockets: list[Socket] = []

    def serve(self, handlers: Handlers, tls: Tls | None = None, **connections: Any) -> Server:
        answering = Answering(handlers, stack(to=handlers), DEFAULTS, "server")
        identity = identity_of(tls, server=True)
        return Server(self.loop, answering, ConnectionLimits(**connections), identity, random.Random(1))

    def client(self, there: Server, name: str = "client", **options: Any) -> Client:
        return Client(self, there, name, **options)

    def connected(self, there: Server) -> Client:
        """A client whose socket the kernel had accepted before the server stopped listening."""
        client, there.listening = self.client(there, "late"), True
        client._dial_now()
        there.listening = False
        return client

    def move(self) -> None:
        """Carries what is on its way, and what follows from it."""
        self.clock.advance(0)
        while any([each.move() for each in self.sockets]):  # noqa: C419 - all of them, not until one did
            self.sockets = [each for each in self.sockets if not each.closed]
            self.clock.advance(0)

    def wait(self, seconds: float, step: float = 1.0) -> None:
        """Lets time pass, while bytes move."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.move()
