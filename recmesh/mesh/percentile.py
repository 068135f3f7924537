"""Percentile: what all but a few of the latest calls take, from counts in buckets of time."""

from __future__ import annotations

from math import ceil, log2
from typing import Final

PER_DOUBLING: Final = 8  # buckets: each ends 9 % above the one before
LEAST: Final = 1e-4  # seconds, where the first one ends: less is less than a timer's accuracy
BUCKETS: Final = 160  # up to 96 s, longer than any call may take
SLICES: Final = 6  # of the window; one is forgotten at a time
FRESH: Final = 1.0  # seconds for which a result is kept: counting for every call would cost more than the call


class Percentile:
    """Under how many seconds a `share` of the calls of the last `window` seconds took; it counts from `enough` on."""

    __slots__ = (
        "_at",
        "_ends",
        "_enough",
        "_fresh_until",
        "_share",
        "_slice",
        "_slices",
        "_total",
        "_totals",
        "_value",
    )

    def __init__(self, share: float = 0.95, window: float = 30.0, enough: int = 100) -> None:
        self._share = share
        self._slice = window / SLICES
        self._enough = enough
        self._slices = [[0] * BUCKETS for _ in range(SLICES)]
        self._totals = [0] * BUCKETS
        self._total = 0
        self._at = 0
        self._ends: float | None = None  # of the slice that is filled
        self._value: float | None = None
        self._fresh_until = 0.0

    def add(self, now: float, seconds: float) -> None:
        if self._ends is None or now >= self._ends:
            self._turn(now)
        bucket = 0 if seconds <= LEAST else min(BUCKETS - 1, ceil(PER_DOUBLING * log2(seconds / LEAST)))
        self._slices[self._at][bucket] += 1
        self._totals[bucket] += 1
        self._total += 1

    def value(self, now: float) -> float | None:
        """At most 9 % too much; None while there are too few."""
        if now >= self._fresh_until or (self._value is None and self._total >= self._enough):
            self._turn(now)
            self._value = self._count() if self._total >= self._enough else None
            self._fresh_until = now + FRESH
        return self._value

    def _count(self) -> float:
        above = self._total * (1 - self._share)
        for bucket in reversed(range(BUCKETS)):
            above -= self._totals[bucket]
            if above < 0:
                return LEAST * float(2 ** (bucket / PER_DOUBLING))
        return LEAST

    def _turn(self, now: float) -> None:
        if self._ends is None:
            self._ends = now + self._slice
        elif now >= self._ends:
            passed = int((now - self._ends) / self._slice) + 1
            for _ in range(min(passed, SLICES)):
                self._at = (self._at + 1) % SLICES
                self._forget(self._slices[self._at])
            self._ends += passed * self._slice

    def _forget(self, counts: list[int]) -> None:
        for bucket, count in enumerate(counts):
            if count:
                self._totals[bucket] -= count
                self._total -= count
                counts[bucket] = 0
