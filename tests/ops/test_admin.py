"""The admin port, byte by byte, without a socket."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from recmesh.ops.admin import IDLE_SECONDS, MOST_CONNECTIONS, Admin
from recmesh.ops.health import Health
from recmesh.ops.registry import Registry


class Browser:
    """One connection to an admin port."""

    def __init__(self, admin: Admin) -> None:
        channel = admin.buildProtocol(None)
        assert channel is not None
        self.channel = channel
        self.transport = StringTransport()
        self.channel.makeConnection(self.transport)

    def send(self, text: str) -> str:
        self.channel.dataReceived(text.replace("\n", "\r\n").encode())
        answer: bytes = self.transport.value()
        return answer.decode().replace("\r\n", "\n")

    def get(self, path: str) -> str:
        return self.send(f"GET {path} HTTP/1.1\nHost: a\n\n")

    def close(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))


class Port:
    def __init__(self) -> None:
        self.clock, self.health, self.registry = Clock(), Health(), Registry()
        self.admin = Admin(self.clock, self.health, self.registry)

    def browse(self) -> Browser:
        return Browser(self.admin)


def test_alive_before_it_serves() -> None:
    port = Port()
    assert port.browse().get("/healthz").startswith("HTTP/1.1 200 ")


def test_ready_only_while_it_serves() -> None:
    port = Port()
    answer = port.browse().get("/readyz")
    assert answer.startswith("HTTP/1.1 503 ") and answer.endswith("not serving: starting\n")
    port.health.serve([])
    assert port.browse().get("/readyz").startswith("HTTP/1.1 200 ")
    port.health.stop("draining")
    assert port.browse().get("/readyz").endswith("not serving: draining\n")


def test_metrics_are_prometheus_text() -> None:
    port = Port()
    port.registry.counter("calls_total", "Calls.").add(4)
    answer = port.browse().get("/metrics")
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8\n" in answer
    assert answer.endswith("\ncalls_total 4\n")


@pytest.mark.parametrize("path", ["/", "/healthz/", "/../etc/passwd", "//readyz", "http://a/healthz"])
def test_nothing_else_is_served(path: str) -> None:
    assert Port().browse().get(path).startswith("HTTP/1.1 404 ")


def test_nothing_is_changed_over_this_port() -> None:
    answer = Port().browse().send("DELETE /metrics HTTP/1.1\nHost: a\n\n")
    assert answer.startswith("HTTP/1.1 405 ") and "Allow: GET, HEAD\n" in answer


def test_head_has_no_body() -> None:
    answer = Port().browse().send("HEAD /healthz HTTP/1.1\nHost: a\n\n")
    assert answer.startswith("HTTP/1.1 200 ") and answer.endswith("\n\n")


@pytest.mark.parametrize("length", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
def test_a_body_is_refused_before_it_is_read(length: str) -> None:
    browser = Port().browse()
    answer = browser.send(f"POST /healthz HTTP/1.1\nHost: a\n{length}\n\n")
    assert answer.startswith("HTTP/1.1 400 ") and browser.transport.disconnecting


def test_endless_headers_are_cut_off() -> None:
    browser = Port().browse()
    browser.send("GET /healthz HTTP/1.1\n" + "".join(f"X-{i}: {'y' * 500}\n" for i in range(50)))
    assert browser.transport.disconnecting or browser.transport.disconnected


def test_connections_are_bounded_and_given_back() -> None:
    port = Port()
    browsers = [port.browse() for _ in range(MOST_CONNECTIONS)]
    assert port.admin.buildProtocol(None) is None
    browsers[0].close()
    assert port.admin.buildProtocol(None) is not None


def test_a_silent_client_is_let_go() -> None:
    port = Port()
    browser = port.browse()
    port.clock.advance(IDLE_SECONDS)
    assert browser.transport.disconnecting
