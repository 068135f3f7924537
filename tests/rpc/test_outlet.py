"""When bytes leave: at once, at the end of a turn, when the socket takes more; and how those who can wait are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from recmesh.rpc.connection import outlet
from recmesh.rpc.connection.outlet import AHEAD, COUNTED
from recmesh.rpc.session.memory import Pool


class Turns:
    """A loop whose turns the test ends, one after another."""

    def __init__(self) -> None:
        self._clock = Clock()

    def at_end(self, what: Callable[[], None]) -> IDelayedCall:
        return self._clock.callLater(1, what)

    def end(self) -> None:
        self._clock.advance(1)


class Kept(outlet.Outlet):
    """Keeps what a socket would be given; that takes no more while `full`."""

    def __init__(self, turns: Turns) -> None:
        super().__init__(turns.at_end)
        self.sent: list[bytes] = []
        self.full = False
        self.aborted = False

    def _send(self, data: bytes) -> None:
        self.sent.append(data)
        self._blocked = self.full

    def _finish(self, rest: bytes) -> None:
        self.sent.append(rest)

    def _abort(self) -> None:
        self.aborted = True


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def kept(turns: Turns) -> Kept:
    return Kept(turns)


def test_the_first_bytes_of_a_turn_leave_at_once_and_the_others_together(kept: Kept, turns: Turns) -> None:
    for data in (b"one", b"two", b"three"):
        kept.write(data)
    assert kept.sent == [b"one"]
    turns.end()
    assert kept.sent == [b"one", b"twothree"]


def test_what_waits_takes_room_until_it_has_left(kept: Kept, turns: Turns) -> None:
    room: list[int] = []
    kept.on_room = lambda: room.append(kept.room)
    kept.write(b"at once")
    assert kept.room == AHEAD
    kept.write(bytes(1_000))
    assert kept.room == AHEAD - 1_000
    kept.write(bytes(AHEAD))
    assert (kept.room, room) == (0, [])
    turns.end()
    assert room == [AHEAD]


def test_there_is_no_room_until_the_socket_takes_more(kept: Kept, turns: Turns) -> None:
    told: list[int] = []
    kept.on_room = lambda: told.append(kept.room)
    kept.full = True
    kept.write(b"one")
    kept.write(b"two")
    turns.end()
    assert (kept.sent, kept.room, told) == ([b"one"], 0, [])
    kept.full = False
    kept.unblocked()
    assert (kept.sent, kept.room, told) == ([b"one", b"two"], AHEAD, [AHEAD])


def test_nobody_is_told_while_the_socket_is_full_again(kept: Kept) -> None:
    told: list[int] = []
    kept.on_room = lambda: told.append(kept.room)
    kept.full = True
    kept.write(b"one")
    kept.write(b"two")
    kept.unblocked()
    assert (kept.sent, told) == ([b"one", b"two"], [])


def test_who_writes_when_told_of_room_goes_on_in_the_next_turn(kept: Kept, turns: Turns) -> None:
    left = [b"d", b"c"]

    def go_on() -> None:
        while left:
            kept.write(left.pop())

    kept.on_room = go_on
    kept.write(b"a")
    kept.write(b"b")
    turns.end()
    assert kept.sent == [b"a", b"b", b"c"]
    turns.end()
    assert kept.sent == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize("end", ["close", "abort", "lost"])
def test_nobody_is_told_of_room_after_the_end(kept: Kept, turns: Turns, end: str) -> None:
    told: list[int] = []
    kept.on_room = lambda: told.append(kept.room)
    kept.write(b"one")
    kept.write(b"two")
    getattr(kept, end)()
    turns.end()
    kept.unblocked()
    assert (kept.room, told) == (0, [])


def test_a_peer_that_lets_too_much_wait_is_given_up(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MAX_UNSENT", 2 << 20)
    kept.full = True
    kept.write(b"one")
    for _ in range(3):
        kept.write(bytes(1 << 20))
    assert kept.aborted
    assert kept.why == "the peer does not read: 3 MiB are unsent"


def test_what_waits_for_peers_that_do_not_read_is_bounded_for_all_together(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(3 * COUNTED)
    monkeypatch.setattr(outlet, "PROCESS", pool)
    slow, reading, third = Kept(turns), Kept(turns), Kept(turns)
    for each in (slow, reading, third):
        each.full = True
        each.write(b"at once")
        each.write(bytes(COUNTED))
    assert pool.held == 0
    slow.write(bytes(COUNTED + 1))
    reading.write(b"more")
    assert pool.held == 3 * COUNTED
    third.write(b"more")
    assert (third.aborted, third.why) == (True, "the peer does not read: 0.5 MiB are unsent")
    reading.full = False
    reading.unblocked()
    assert (slow.aborted, reading.aborted, pool.held) == (False, False, 2 * COUNTED)
    slow.lost()
    assert pool.held == 0
