"""Lag: how late a timer fires, which is how long everything waits that the process has to do.

It shows the overload that a count of calls does not: one thread that is busy with something else, or answers that cost
more than it has time for.
"""

from __future__ import annotations

from typing import Final

from recmesh.rpc import Clock

INTERVAL: Final = 0.1  # seconds; a third of the lag that matters, and ten short wakings a second cost nothing


class Lag:
    """Measures for as long as `watch` runs."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = 0.0
        """The smaller of the last two measurements: one long pause is over, two in a row are too much work."""
        self._clock = clock

    async def watch(self) -> None:
        """Never returns."""
        before = 0.0
        while True:
            due = self._clock.seconds() + INTERVAL
            await self._clock.sleep(INTERVAL)
            late = max(0.0, self._clock.seconds() - due)
            self.seconds = min(before, late)
            before = late
