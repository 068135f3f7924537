"""Faults, and the pipe that puts the bytes of one direction of a connection through them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

MOST_HELD: Final = 256 << 10  # bytes; beyond, the sender is read no further, as a full socket would have it
SLICE: Final = 0.01  # seconds of a throttled pipe's bytes that are written at once


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to the bytes of one direction. Those of `within` happen at a byte taken by chance."""

    delay: float = 0.0  # seconds each byte is late
    rate: float = 0.0  # bytes a second; 0: as many as come
    blackhole: bool = False  # nothing arrives, and nobody is told; what was held arrives when it ends
    bytewise: bool = False  # each byte is written by itself
    reset_within: int = 0  # bytes, within which the connection is reset; 0: never
    half_close_within: int = 0  # bytes, within which this direction ends and the other goes on; 0: never
    flip_within: int = 0  # bytes, of each of which one has one bit flipped; 0: never


NONE: Final = Faults()


class Source(Protocol):
    """Where bytes come from."""

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...


class Target(Protocol):
    """Where bytes go to."""

    def write(self, data: bytes) -> None: ...
    def loseWriteConnection(self) -> None: ...


class Pipe:
    """Bytes in order, through the faults of the moment. `reset` ends both directions with an RST."""

    def __init__(
        self, clock: IReactorTime, rng: random.Random, source: Source, target: Target, reset: Callable[[], None]
    ) -> None:
        self._clock, self._rng = clock, rng
        self._source, self._target, self._reset = source, target, reset
        self._faults = NONE
        self._held: deque[tuple[float, bytes]] = deque()  # when they may go on, and they
        self._size = 0
        self._free_at = 0.0  # when a throttled or bytewise pipe writes again
        self._timer: IDelayedCall | None = None
        self._ended = self._closed = False
        self._cut: dict[str, int] = {}  # bytes left until each fault that happens at one

    def change(self, faults: Faults) -> None:
        self._faults = faults
        self._cut = {
            kind: self._rng.randint(1, within)
            for kind in ("reset_within", "half_close_within", "flip_within")
            if (within := getattr(faults, kind))
        }
        self._flow()

    def received(self, data: bytes) -> None:
        if self._closed:
            return
        self._held.append((self._clock.seconds() + self._faults.delay, data))
        self._size += len(data)
        if self._size > MOST_HELD:
            self._source.pauseProducing()
        self._flow()

    def ended(self) -> None:
        """The sender has sent all; so will the receiver have read all, after what is held."""
        self._ended = True
        self._flow()

    def stop(self) -> None:
        self._closed = True
        self._held.clear()
        self._size = 0
        self._wait(None)

    def _flow(self) -> None:
        self._wait(None)
        while self._held and not self._closed and not self._faults.blackhole:
            due = max(self._held[0][0], self._free_at)
            if due > self._clock.seconds():
                self._wait(due - self._clock.seconds())
                return
            self._pass(self._take())
            if self._faults.bytewise:
                self._wait(0.0)  # writes of one turn would leave together
                return
        if self._ended and not self._held and not self._closed and not self._faults.blackhole:
            self._close()

    def _take(self) -> bytes:
        due, data = self._held.popleft()
        count = min(len(data), *self._cut.values()) if self._cut else len(data)
        if self._faults.rate:
            count = min(count, max(1, int(self._faults.rate * SLICE)))
            self._free_at = self._clock.seconds() + count / self._faults.rate
        if self._faults.bytewise:
            count = 1
        if count < len(data):
            self._held.appendleft((due, data[count:]))
        was_full = self._size > MOST_HELD
        self._size -= count
        if was_full and self._size <= MOST_HELD:
            self._source.resumeProducing()
        return data[:count]

    def _pass(self, data: bytes) -> None:
        self._cut = {kind: left - len(data) for kind, left in self._cut.items()}
        due = [kind for kind, left in self._cut.items() if left == 0]
        if "flip_within" in due:
            data = data[:-1] + bytes([data[-1] ^ (1 << self._rng.randrange(8))])
            self._cut["flip_within"] = self._rng.randint(1, self._faults.flip_within)
        self._target.write(data)
        if "reset_within" in due:
            self._reset()
        elif "half_close_within" in due:
            self._close()

    def _close(self) -> None:
        self.stop()
        self._target.loseWriteConnection()

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None if seconds is None else self._clock.callLater(seconds, self._flow)
