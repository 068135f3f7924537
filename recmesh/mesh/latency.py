"""PeakEwma: how long an endpoint takes to answer, as a value that rises at once and falls slowly.

After Finagle's load balancer of that name: what matters of an endpoint is how bad it may be just now, and a mean hides
the one slow answer that a caller is going to meet.
"""

from __future__ import annotations

from math import exp
from typing import Final

DECAY: Final = 10.0  # seconds after which a sample weighs 1/e: the aftermath of a garbage collection is soon forgotten


class PeakEwma:
    """A moving average of seconds. It falls while there are no samples, so that a bad endpoint is tried again."""

    __slots__ = ("_at", "_decay", "_value")

    def __init__(self, now: float, decay: float = DECAY, value: float = 0.0) -> None:
        self._at = now
        self._decay = decay
        self._value = value

    def value(self, now: float) -> float:
        return self._value * exp((self._at - now) / self._decay)

    def observe(self, seconds: float, now: float) -> None:
        """A sample above the value is taken at once, one below it by its share of the time."""
        share = exp((self._at - now) / self._decay)
        value = self._value * share
        if seconds >= self._value:
            self._value = seconds
        else:
            self._value = value + seconds * (1.0 - share)
        self._at = now

    def at_least(self, seconds: float, now: float) -> None:
        """Of an attempt that was given up: how long it would have taken is unknown, but it is more than this."""
        if seconds > self.value(now):
            self._value, self._at = seconds, now
