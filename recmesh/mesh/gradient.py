"""Gradient: how many calls a process does well to work on at once, found from how long they take.

After Gradient2 of Netflix' concurrency-limits: while calls take as long as they usually do the limit grows, and when
they take longer it shrinks in proportion, because what is added then only waits. Four things differ, each for a failure
that the original is known for:

- Each method is measured against itself. Otherwise a minute of cheap calls makes the usual ones look slow.
- While calls find no place, the usual latency rises ten times more slowly. Otherwise a long overload becomes the
  measure of itself and the limit grows without end.
- Over CEILING the limit shrinks, however usual that is: with latencies that are always the same, as when all time out,
  nothing would look slow.
- Calls that failed by themselves are not measured: a handler that fails at once is not a fast one.
"""

from __future__ import annotations

from typing import Final

WINDOW_SECONDS: Final = 0.25  # a spike has to be met within seconds; a window takes 10 % off the limit at most
WINDOW_SAMPLES: Final = 10  # fewer say little; the window goes on until it has them
USUAL_WINDOWS: Final = 600  # in the mean that counts as usual
USUAL_WINDOWS_FULL: Final = 6_000  # the same while calls find no place
FALL: Final = 0.9  # a window, of a usual latency that is twice what calls take: the overload it was learnt in is over
HEADROOM: Final = 4.0  # calls that may wait at the process's inner queues; without them the limit could not grow
SMOOTHING: Final = 0.2  # of each step, so that one odd window moves little
LEAST_GRADIENT: Final = 0.5
CEILING: Final = 0.5  # seconds a call; by then its caller has given the attempt up
MOST_METHODS: Final = 200  # measured; a process has some twenty


class Gradient:
    """Is a recmesh.mesh.limit.Size."""

    def __init__(self, initial: float = 20.0, least: float = 4.0, most: float = 256.0, tolerance: float = 1.5) -> None:
        self.limit = min(most, max(least, initial))
        self._least = least
        self._most = most
        self._tolerance = tolerance  # calls may take so many times as long as usual
        self._methods: dict[str, _Usual] = {}
        self._begin = 0.0  # of the window
        self._samples = 0
        self._most_in_flight = 0
        self._full = False

    def full(self) -> None:
        """A call found no place, and not only because it may be shed."""
        self._full = True

    def ended(self, method: str, seconds: float, in_flight: int, now: float) -> None:
        """A call was answered, `in_flight` being how many were worked on, itself included."""
        usual = self._methods.get(method)
        if usual is None:
            if len(self._methods) >= MOST_METHODS:
                return
            usual = self._methods[method] = _Usual()
        usual.samples += 1
        usual.total += seconds
        self._count(in_flight, now)

    def given_up(self, method: str, seconds: float, in_flight: int, now: float) -> None:
        """A call was cancelled or out of time: it would have taken longer still, which tells only if that is long."""
        usual = self._methods.get(method)
        if usual is not None and seconds > usual.seconds:
            self.ended(method, seconds, in_flight, now)

    def _count(self, in_flight: int, now: float) -> None:
        if not self._samples:
            self._begin = now
        self._samples += 1
        self._most_in_flight = max(self._most_in_flight, in_flight)
        if self._samples >= WINDOW_SAMPLES and now - self._begin >= WINDOW_SECONDS:
            self._turn()

    def _turn(self) -> None:
        """The end of a window. A limit that is not half used says nothing about a larger one."""
        strain = self._learn()
        if self._most_in_flight >= self.limit / 2:
            gradient = max(LEAST_GRADIENT, min(1.0, 1.0 / strain)) if strain else 1.0
            target = self.limit * gradient + HEADROOM
            self.limit = min(self._most, max(self._least, self.limit + SMOOTHING * (target - self.limit)))
        self._samples = self._most_in_flight = 0
        self._full = False

    def _learn(self) -> float:
        """How long the calls of the window took, as a multiple of what they may take."""
        strain = 0.0
        windows = USUAL_WINDOWS_FULL if self._full else USUAL_WINDOWS
        for usual in self._methods.values():
            if usual.samples:
                strain += usual.samples * usual.turn(windows, self._tolerance)
        return strain / self._samples


class _Usual:
    """How long the calls of one method usually take."""

    __slots__ = ("samples", "seconds", "total", "windows")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.windows = 0
        self.samples = 0  # in this window
        self.total = 0.0

    def turn(self, windows: int, tolerance: float) -> float:
        """Learns from the window, and gives its mean as a multiple of what is allowed."""
        mean = self.total / self.samples
        self.samples, self.total = 0, 0.0
        self.windows += 1
        # A plain mean of the first ten windows, so that the first of them does not count for all time.
        self.seconds += (mean - self.seconds) / (self.windows if self.windows <= 10 else windows)
        if self.seconds > 2 * mean:
            self.seconds *= FALL
        allowed = min(CEILING, tolerance * self.seconds)
        return mean / allowed if allowed else 0.0
