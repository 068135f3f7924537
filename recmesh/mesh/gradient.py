"""Gradient: how many calls a process does well to work on at once, found from how long they take.

After Gradient2 of Netflix' concurrency-limits: while calls take as long as they usually do the limit grows, and when
they take longer it shrinks in proportion, because what is added then only waits. Five things differ, each for a failure
that the original is known for:

- Each method is measured against itself. Otherwise a minute of cheap calls makes the usual ones look slow.
- While calls find no place, the usual latency rises ten times more slowly. Otherwise a long overload becomes the
  measure of itself and the limit grows without end.
- What is slow depends on the caller too. Calls that take a small part of the time they were given are answered soon
  enough, however quick they usually are. Those that take half of it come too late for some, however usual that is,
  unless calls take as long where there are few of them.
- Few calls may wait where few are worked on: with a place for four that wait, one worker that takes 0.1 s a call would
  answer each after half a second.
- Calls that failed by themselves are not measured: a handler that fails at once is not a fast one.
"""

from __future__ import annotations

import math
from typing import Final

WINDOW_SECONDS: Final = 0.25  # a spike has to be met within seconds; a window takes 10 % off the limit at most
WINDOW_SAMPLES: Final = 10  # fewer say little; the window goes on until it has them
USUAL_WINDOWS: Final = 600  # in the mean that counts as usual
USUAL_WINDOWS_FULL: Final = 6_000  # the same while calls find no place
FALL: Final = 0.9  # a window, of a usual latency that is twice what calls take: the overload it was learnt in is over
HEADROOM: Final = 4.0  # calls at most that may wait at the process's inner queues; without them it could not grow
SMOOTHING: Final = 0.2  # of a step, so that one odd window moves little
MOST_STRAIN: Final = 2.0  # that counts: no step takes more than half
SOON_SHARE: Final = 0.2  # of the time given: sixteen calls of 10 ms, come at once to two workers, are answered in it
SOON_MOST: Final = 0.2  # seconds
LATE_SHARE: Final = 0.5  # of the time given, in the mean: the slowest take twice as long
SHORTEST_GIVEN: Final = 0.001  # seconds that are counted; a call may have waited until its time was up
LONGEST_GIVEN: Final = 5.0  # the same, as many as a service gives a call without a deadline
FEW: Final = 4  # calls in flight, and half of the limit, up to which they are hardly in each other's way
FEW_CALLS: Final = 50  # in the mean of how long those take
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
        self._late = False  # calls came too late in the last window

    def full(self) -> None:
        """A call found no place, and not only because it may be shed."""
        self._full = True

    def ended(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None:
        """A call was answered that was given so many seconds, `in_flight` being how many were worked on with it."""
        usual = self._methods.get(method)
        if usual is None:
            if len(self._methods) >= MOST_METHODS:
                return
            usual = self._methods[method] = _Usual()
        usual.samples += 1
        usual.total += seconds
        usual.given += max(SHORTEST_GIVEN, min(given, LONGEST_GIVEN))
        if in_flight <= FEW and in_flight <= self.limit / 2:
            usual.among_few(seconds)
        self._count(in_flight, now)

    def given_up(self, method: str, seconds: float, given: float, in_flight: int, now: float) -> None:
        """A call was cancelled or out of time: it would have taken longer still, which tells only if that is long."""
        usual = self._methods.get(method)
        if seconds > (usual.seconds if usual is not None else LATE_SHARE * min(given, LONGEST_GIVEN)):
            self.ended(method, seconds, given, in_flight, now)

    def _count(self, in_flight: int, now: float) -> None:
        if not self._samples:
            self._begin = now
        self._samples += 1
        self._most_in_flight = max(self._most_in_flight, in_flight)
        if self._samples >= WINDOW_SAMPLES and now - self._begin >= WINDOW_SECONDS:
            self._turn()

    def _turn(self) -> None:
        """The end of a window. A limit that is not half used says nothing about a larger one."""
        strain, lateness = self._learn()
        if self._most_in_flight >= self.limit / 2:
            if lateness > 1.0:  # no headroom: whoever waits there is answered too late
                target = self.limit / min(MOST_STRAIN, lateness)
            else:
                target = self.limit / max(1.0, min(MOST_STRAIN, strain)) + min(HEADROOM, math.sqrt(self.limit))
            step = 1.0 if self._late and lateness > 1.0 else SMOOTHING  # at once the second time in a row
            self.limit = min(self._most, max(self._least, self.limit + step * (target - self.limit)))
        self._late = lateness > 1.0
        self._samples = self._most_in_flight = 0
        self._full = False

    def _learn(self) -> tuple[float, float]:
        """How long the calls of the window took, as a multiple of what they may take, and of what is too late."""
        strain = lateness = 0.0
        for usual in self._methods.values():
            if usual.samples:
                share = usual.samples / self._samples
                its_strain, its_lateness = usual.turn(self._full, self._tolerance)
                strain += share * its_strain
                lateness += share * its_lateness
        return strain, lateness


class _Usual:
    """How long the calls of one method usually take."""

    __slots__ = ("alone", "few", "given", "samples", "seconds", "total", "windows")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.windows = 0
        self.samples = 0  # in this window
        self.total = 0.0  # seconds they took
        self.given = 0.0  # seconds they were given
        self.alone = 0.0  # seconds that calls take where there are few; 0 where there never were
        self.few = 0  # such calls

    def among_few(self, seconds: float) -> None:
        self.few = min(FEW_CALLS, self.few + 1)
        self.alone += (seconds - self.alone) / self.few

    def turn(self, full: bool, tolerance: float) -> tuple[float, float]:
        """Learns from the window, and gives its mean as a multiple of what is allowed, and of what is too late."""
        mean, given = self.total / self.samples, self.given / self.samples
        self.samples, self.total, self.given = 0, 0.0, 0.0
        self.windows += 1
        # A plain mean of the first ten windows, so that the first of them does not count for all time.
        windows = self.windows if self.windows <= 10 else USUAL_WINDOWS
        if full and self.windows > 1 and mean > self.seconds:
            windows = USUAL_WINDOWS_FULL
        self.seconds += (mean - self.seconds) / windows
        if self.seconds > 2 * mean:
            self.seconds *= FALL
        soon = min(SOON_MOST, SOON_SHARE * given)
        late = max(LATE_SHARE * given, tolerance * self.alone)
        return mean / max(soon, tolerance * self.seconds), mean / late
