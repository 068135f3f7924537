"""Between a Twisted transport and a line, over a socket pair: what is sent at once, what is joined, what must wait."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection

from recmesh.rpc.tx.transport import FULL_READ, LARGE_READ, Outlet, Turn

SMALL, LARGE = 100, 10_000


class Watched(Clock):
    """A reactor that never looks at its sockets: the test does."""

    def addWriter(self, writer: Any) -> None: ...

    def removeWriter(self, writer: Any) -> None: ...


class Ends:
    """An outlet, and the other end of its socket."""

    def __init__(self) -> None:
        mine, self.far = socket.socketpair()
        self.far.setblocking(False)
        self.reactor = Watched()
        self.transport = Connection(mine, Protocol(), self.reactor)  # type: ignore[arg-type]
        self.transport.connected = 1
        self.outlet = Outlet(self.reactor, self.transport)

    def narrow(self) -> None:
        """Makes the socket take as little as the system allows."""
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    def came(self) -> bytes:
        """What has arrived at the other end."""
        came = b""
        try:
            while data := self.far.recv(1 << 20):
                came += data
        except BlockingIOError:
            return came
        return came

    def close(self) -> None:
        self.transport.getHandle().close()
        self.far.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_follows_in_a_turn_leaves_together_and_in_order(ends: Ends, size: int) -> None:
    first, second, third = (bytes([number]) * size for number in range(3))
    for each in (first, second, third):
        ends.outlet.write(each)
    assert ends.came() == first
    ends.reactor.advance(0)
    assert ends.came() == second + third


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_a_full_socket_refuses_follows_when_it_takes_more(ends: Ends, size: int) -> None:
    ends.narrow()
    rng = random.Random(size)
    parts = [rng.randbytes(size) for _ in range(300_000 // size)]
    for each in parts:
        ends.outlet.write(each)
    ends.reactor.advance(0)
    assert ends.outlet.room == 0
    came = ends.came()
    assert 0 < len(came) < 100_000
    ends.outlet.write(b"last")
    while more := (ends.transport.doWrite(), ends.came())[1]:
        came += more
        ends.reactor.advance(0)
    assert came == b"".join(parts) + b"last"
    assert ends.outlet.room > 0


def test_more_parts_than_a_system_call_takes_leave_all_the_same(ends: Ends) -> None:
    parts = [bytes([number % 256]) * 1_100 for number in range(1_500)]
    for each in parts:
        ends.outlet.write(each)
    ends.reactor.advance(0)
    came = ends.came()
    while more := (ends.transport.doWrite(), ends.came())[1]:
        came += more
    assert came == b"".join(parts)


def test_behind_a_full_read_one_more_is_taken_and_then_all_is_answered_at_once(ends: Ends) -> None:
    ends.far.setblocking(True)
    ends.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGE_READ)
    ends.far.sendall(bytes(LARGE_READ // 4))
    reads: list[int] = []

    def answer(data: bytes) -> None:
        reads.append(len(data))
        ends.outlet.write(b"answer")

    Turn.of(ends.reactor).read(answer, ends.outlet, bytes(FULL_READ))
    assert len(reads) == 2
    Turn.of(ends.reactor).read(answer, ends.outlet, b"short")
    assert reads[2:] == [len(b"short")]
