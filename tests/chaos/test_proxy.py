"""The proxy as a process, between a client and a server of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.chaos.harness import Proxy
from tests.chaos.mesh import free_port

pytestmark = pytest.mark.system


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(30)
        yield listening


@pytest.fixture
def proxy(server: socket.socket) -> Iterator[Proxy]:
    with Proxy({f"127.0.0.1:{free_port()}": f"127.0.0.1:{server.getsockname()[1]}"}) as running:
        yield running


def through(proxy: Proxy, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    host, _, port = proxy.listening[0].partition(":")
    client = socket.create_connection((host, int(port)), timeout=30)
    return client, server.accept()[0]


def read_all(end: socket.socket) -> None:
    while end.recv(10):
        pass


def test_bytes_pass_both_ways_and_ends_of_streams_do_too(proxy: Proxy, server: socket.socket) -> None:
    client, accepted = through(proxy, server)
    with client, accepted:
        client.sendall(b"to")
        client.shutdown(socket.SHUT_WR)
        assert accepted.recv(10) == b"to" and accepted.recv(10) == b""
        accepted.sendall(b"back")
        assert client.recv(10) == b"back"


def test_a_reset_is_seen_by_both_sides(proxy: Proxy, server: socket.socket) -> None:
    client, accepted = through(proxy, server)
    with client, accepted:
        proxy.tell(up={"reset_within": 3})
        client.sendall(b"abc")
        with pytest.raises(ConnectionResetError):
            read_all(client)
        with pytest.raises(ConnectionResetError):
            read_all(accepted)
        assert proxy.tell()["accepted"] == 1
