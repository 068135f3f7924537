"""The admin port: /healthz, /readyz and /metrics over HTTP, for probes and Prometheus, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final, cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITransport
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import NOT_ALLOWED, NOT_FOUND, OK, SERVICE_UNAVAILABLE, HTTPChannel, Request

from recmesh.ops.health import Health
from recmesh.ops.registry import Registry

MOST_CONNECTIONS: Final = 64  # probes and scrapers need a handful
IDLE_SECONDS: Final = 10  # a client that says nothing is let go
MOST_HEADERS: Final = 64  # a probe sends a handful, a browser some twenty
MOST_HEADER_BYTES: Final = 8_192  # of all of them, as most web servers have it

TEXT: Final = b"text/plain; charset=utf-8"
METRICS: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Admin(ServerFactory):
    """Answers HTTP on the admin port."""

    noisy = False

    def __init__(self, reactor: IReactorTime, health: Health, registry: Registry) -> None:
        self.connections = 0
        self._reactor = reactor
        self._health = health
        self._registry = registry

    def buildProtocol(self, addr: IAddress | None) -> HTTPChannel | None:
        if self.connections >= MOST_CONNECTIONS:
            return None
        self.connections += 1
        return _Channel(self, self._reactor)

    def answer(self, method: bytes, path: bytes) -> tuple[int, bytes, bytes]:
        """Status, content type and body."""
        if method not in (b"GET", b"HEAD"):
            return NOT_ALLOWED, TEXT, b"only GET and HEAD are served here\n"
        if path == b"/healthz":  # whoever gets this answer knows that the process runs and its reactor turns
            return OK, TEXT, b"alive\n"
        if path == b"/readyz":
            if self._health.serving:
                return OK, TEXT, b"serving\n"
            return SERVICE_UNAVAILABLE, TEXT, f"not serving: {self._health.reason}\n".encode()
        if path == b"/metrics":
            return OK, METRICS, self._registry.render().encode()
        return NOT_FOUND, TEXT, b"served here: /healthz, /readyz, /metrics\n"

    def log(self, request: Request) -> None:
        """Probes come every few seconds; a line for each would bury the rest."""


class _Request(Request):
    """A request without a body."""

    channel: _Channel

    def gotLength(self, length: int | None) -> None:
        self.content = io.BytesIO()
        if length != 0:
            self.channel.refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Drops it; the connection is being closed."""

    def process(self) -> None:
        status, kind, body = self.channel.admin.answer(self.method, self.path)
        self.setResponseCode(status)
        self.setHeader(b"Content-Type", kind)
        self.setHeader(b"Content-Length", str(len(body)).encode())
        self.setHeader(b"Cache-Control", b"no-store")
        if status == NOT_ALLOWED:
            self.setHeader(b"Allow", b"GET, HEAD")
        if self.method != b"HEAD":
            self.write(body)
        self.finish()


class _Channel(HTTPChannel):
    """A connection to the admin port."""

    def __init__(self, admin: Admin, reactor: IReactorTime) -> None:
        super().__init__()
        self.admin = admin
        self.factory = admin
        self.requestFactory = _Request
        self.maxHeaders = MOST_HEADERS
        self.totalHeadersSize = MOST_HEADER_BYTES
        self.timeOut = IDLE_SECONDS
        self._reactor = reactor

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        return self._reactor.callLater(period, func)

    def refuse_body(self) -> None:
        transport = cast(ITransport, self.transport)
        transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.admin.connections -= 1
        super().connectionLost(reason)
