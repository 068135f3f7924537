"""Lag: how late a timer fires, which is how long everything waits that the process has to do.

It shows the overload that a count of calls does not: one thread that is busy with something else, or answers that cost
more than it has time for. Where handlers do all their work at once there is never more than one call in flight; the
others wait in the socket, are read together, and no timer fires before all of them are through.
"""

from __future__ import annotations

import math
from typing import Final

from recmesh.rpc import Clock

INTERVAL: Final = 0.05  # seconds; a fifth of the lag that matters, and twenty short wakings a second cost nothing


class Lag:
    """Measures for as long as `watch` runs."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = 0.0
        """The smaller of the last two measurements: one long pause is over, two in a row are too much work."""
        self._clock = clock
        self._due = math.inf  # when the next timer fires, if it is in time
        self._first_call = math.inf  # since the last one

    async def watch(self) -> None:
        """Never returns."""
        before = 0.0
        try:
            while True:
                self._due = self._clock.seconds() + INTERVAL
                self._first_call = math.inf
                await self._clock.sleep(INTERVAL)
                late = max(0.0, self._clock.seconds() - self._due)
                self.seconds = min(before, late)
                before = late
        finally:
            self._due = math.inf  # nobody measures any more

    def of_call(self) -> float:
        """How late a call is that is begun at this moment, at least.

        Once a timer is late, all who are begun before it wait for each other. A pause before the first of them is over.
        """
        now = self._clock.seconds()
        self._first_call = min(self._first_call, now)
        return max(self.seconds, now - max(self._due, self._first_call))
