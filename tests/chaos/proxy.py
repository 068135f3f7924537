"""A TCP proxy that does to bytes between two processes what networks and peers do to them.

    python -m tests.chaos.proxy 127.0.0.1:21001=127.0.0.1:21200 127.0.0.1:21002=127.0.0.1:21300

Prints one line when it listens. Each line it then reads, such as {"up": {"delay": 0.1}, "down": {"reset_within": 900}},
says what meets the bytes to the server and back from then on, of connections there are and of those to come; with "at"
of that listening address alone. Each is answered by a line with the number of connections there are and were.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from typing import Any, cast

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from recmesh.rpc.address import split_address
from tests.chaos.faults import NONE, Faults, Pipe


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """One of the two sockets of a connection through the proxy."""

    other: End | None = None
    pipe: Pipe | None = None  # of what arrives here

    def __init__(self, link: Link) -> None:
        self.link = link

    @property
    def tcp(self) -> Connection:
        return cast(Connection, self.transport)

    def connectionMade(self) -> None:
        self.tcp.setTcpNoDelay(True)
        self.link.connected(self)

    def dataReceived(self, data: bytes) -> None:
        assert self.pipe is not None
        self.pipe.received(data)

    def readConnectionLost(self) -> None:
        if self.pipe is not None:
            self.pipe.ended()

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.link.cut()


class Link:
    """A client, a server, and the two pipes between them."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._ends: list[End] = []  # the client's first
        self._gone = False

    def connected(self, end: End) -> None:
        if self._gone:
            end.tcp.abortConnection()
            return
        self._ends.append(end)
        if len(self._ends) == 1:
            end.tcp.pauseProducing()  # until there is a server to send to
            self._forward.dial(self)
            return
        client, server = self._ends
        for source, target in ((client, server), (server, client)):
            source.pipe = Pipe(self._forward.reactor, self._forward.rng, source.tcp, target.tcp, self.cut)
        self._forward.links.append(self)
        self.change(self._forward.up, self._forward.down)
        client.tcp.resumeProducing()

    def change(self, up: Faults, down: Faults) -> None:
        for end, faults in zip(self._ends, (up, down), strict=True):
            if end.pipe is not None:
                end.pipe.change(faults)

    def cut(self) -> None:
        """Resets both sides, as whoever lost the other would not notice otherwise."""
        if self._gone:
            return
        self._gone = True
        if self in self._forward.links:
            self._forward.links.remove(self)
        for end in self._ends:
            if end.pipe is not None:
                end.pipe.stop()
            end.tcp.abortConnection()


class Forward(Factory[End]):
    """Accepts connections for one server, and holds the faults they meet."""

    noisy = False

    def __init__(self, reactor: Any, target: str, rng: random.Random) -> None:
        self.reactor, self.rng = reactor, rng
        self.links: list[Link] = []
        self.accepted = 0
        self.up = self.down = NONE
        host, port = split_address(target)
        self._target = HostnameEndpoint(reactor, host, port)

    def buildProtocol(self, addr: Any) -> End:
        self.accepted += 1
        return End(Link(self))

    def dial(self, link: Link) -> None:
        connecting = self._target.connect(Factory.forProtocol(lambda: End(link)))
        connecting.addErrback(lambda _: link.cut())

    def change(self, up: Faults, down: Faults) -> None:
        self.up, self.down = up, down
        for link in tuple(self.links):
            link.change(up, down)


class Control(LineOnlyReceiver):
    """What the proxy is told on its standard input; it ends with it."""

    delimiter = b"\n"

    def __init__(self, reactor: Any, forwards: Mapping[str, Forward]) -> None:
        self._reactor, self._forwards = reactor, forwards

    def connectionMade(self) -> None:
        self._say(listening=list(self._forwards))

    def lineReceived(self, line: bytes) -> None:
        told = json.loads(line)
        for address, forward in self._forwards.items():
            if told.get("at", address) == address:
                forward.change(Faults(**told.get("up", {})), Faults(**told.get("down", {})))
        every = self._forwards.values()
        self._say(open=sum(len(each.links) for each in every), accepted=sum(each.accepted for each in every))

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self._reactor.running:
            self._reactor.stop()

    def _say(self, **what: object) -> None:
        assert self.transport is not None
        self.transport.write(json.dumps(what).encode() + b"\n")


def main() -> None:
    from twisted.internet import reactor as installed
    from twisted.internet.stdio import StandardIO

    reactor: Any = installed
    forwards = dict[str, Forward]()
    for each in sys.argv[1:]:
        listen, _, target = each.partition("=")
        forwards[listen] = Forward(reactor, target, random.Random(listen))
        host, port = split_address(listen)
        reactor.listenTCP(port, forwards[listen], interface=host)
    StandardIO(Control(reactor, forwards), reactor=reactor)
    reactor.run()


if __name__ == "__main__":
    main()
