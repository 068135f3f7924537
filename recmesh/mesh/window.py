"""Window: how many there were in the last seconds."""

from __future__ import annotations

from typing import Final

SLICES: Final = 10
"""A window is forgotten a tenth at a time: exact enough for shares of traffic, and nothing is kept a call."""


class Window:
    """A sum over the last `seconds`. Whoever uses it says what time it is, so that a call reads the clock once."""

    __slots__ = ("_at", "_begin", "_ends", "_slice", "_slices", "_total")

    def __init__(self, seconds: float) -> None:
        self._slice = seconds / SLICES
        self._slices = [0] * SLICES
        self._at = 0
        self._begin = self._ends = 0.0  # of the slice that is filled
        self._total = 0

    def add(self, now: float, amount: int = 1) -> None:
        if now >= self._ends:
            self._turn(now)
        self._slices[self._at] += amount
        self._total += amount

    def total(self, now: float) -> int:
        if now >= self._ends:
            self._turn(now)
        return self._total

    def _turn(self, now: float) -> None:
        passed = int((now - self._begin) / self._slice)
        for _ in range(min(passed, SLICES)):
            self._at = (self._at + 1) % SLICES
            self._total -= self._slices[self._at]
            self._slices[self._at] = 0
        self._begin += passed * self._slice
        self._ends = self._begin + self._slice
