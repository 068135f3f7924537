"""Each fault of the proxy, on a clock that the test moves."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.chaos.faults import MOST_HELD, Faults, Pipe


class Socket:
    """Both ends of a pipe: what is written, and what else is asked of it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.ended = self.paused = self.reset = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def loseWriteConnection(self) -> None:
        self.ended = True

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    @property
    def got(self) -> bytes:
        return b"".join(self.writes)


class Bench:
    def __init__(self, faults: Faults, seed: int = 1) -> None:
        self.clock = Clock()
        self.socket = Socket()
        self.pipe = Pipe(self.clock, random.Random(seed), self.socket, self.socket, self._reset)
        self.pipe.change(faults)

    def _reset(self) -> None:
        self.socket.reset = True
        self.pipe.stop()


@given(st.lists(st.binary(min_size=1, max_size=50)), st.sampled_from([Faults(), Faults(rate=1_000), Faults(delay=1.0)]))
def test_bytes_arrive_whole_and_in_order(chunks: list[bytes], faults: Faults) -> None:
    bench = Bench(faults)
    for chunk in chunks:
        bench.pipe.received(chunk)
    bench.pipe.ended()
    bench.clock.pump([0.1] * 200)
    assert bench.socket.got == b"".join(chunks)
    assert bench.socket.ended and not bench.clock.getDelayedCalls()


def test_delayed_bytes_are_that_late() -> None:
    bench = Bench(Faults(delay=0.5))
    bench.pipe.received(b"late")
    bench.clock.advance(0.4)
    assert bench.socket.got == b""
    bench.clock.advance(0.1)
    assert bench.socket.got == b"late"


def test_a_throttled_pipe_keeps_to_its_rate() -> None:
    bench = Bench(Faults(rate=1_000))
    bench.pipe.received(b"x" * 1_000)
    bench.clock.pump([0.01] * 50)
    assert 490 <= len(bench.socket.got) <= 520


def test_a_blackhole_holds_everything_and_lets_it_go_at_its_end() -> None:
    bench = Bench(Faults(blackhole=True))
    bench.pipe.received(b"held")
    bench.pipe.ended()
    bench.clock.advance(60)
    assert bench.socket.got == b"" and not bench.socket.ended
    bench.pipe.change(Faults())
    assert bench.socket.got == b"held" and bench.socket.ended


def test_a_full_pipe_stops_reading_until_there_is_room() -> None:
    bench = Bench(Faults(blackhole=True))
    bench.pipe.received(b"x" * (MOST_HELD + 1))
    assert bench.socket.paused
    bench.pipe.change(Faults())
    assert not bench.socket.paused


def test_each_byte_of_a_bytewise_pipe_has_a_turn_of_its_own() -> None:
    bench = Bench(Faults(bytewise=True))
    bench.pipe.received(b"abc")
    assert bench.socket.writes == [b"a"]
    bench.clock.pump([0, 0])
    assert bench.socket.writes == [b"a", b"b", b"c"]


@pytest.mark.parametrize("seed", range(20))
def test_a_reset_comes_within_so_many_bytes(seed: int) -> None:
    bench = Bench(Faults(reset_within=10), seed)
    bench.pipe.received(b"0123456789ab")
    assert bench.socket.reset
    assert 1 <= len(bench.socket.got) <= 10
    bench.pipe.received(b"more")
    assert len(bench.socket.got) <= 10


def test_a_half_close_ends_one_direction_in_the_middle() -> None:
    bench = Bench(Faults(half_close_within=5))
    bench.pipe.received(b"0123456789")
    assert bench.socket.ended and not bench.socket.reset
    assert 1 <= len(bench.socket.got) <= 5


@given(st.integers(0, 1_000))
def test_flipped_bits_are_one_a_span(seed: int) -> None:
    bench = Bench(Faults(flip_within=10), seed)
    bench.pipe.received(bytes(100))
    wrong = [byte for byte in bench.socket.got if byte]
    assert len(bench.socket.got) == 100
    assert 10 <= len(wrong) <= 100
    assert all(byte.bit_count() == 1 for byte in wrong)
