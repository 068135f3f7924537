"""Quality: how much optional work an answer is worth at the moment.

A page from half the candidates is nearly as good and much cheaper; so when there is too much to do, the gateway first
does less for each request, and only then refuses any. Vespa degrades its answers to the same end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.degradation import QUALITY
from gateway.page import Wanted
from gateway.run import Run
from recmesh.rpc import Clock

WINDOW_SECONDS: Final = 0.5  # a factor that follows every request would follow chance
WINDOW_PAGES: Final = 10  # pages; fewer have no p95
SLOW_SHARE: Final = 0.05  # of a window's pages may take longer than the target: p95
FULL: Final = 0.95  # of the places for requests, those that wait included; from here on requests will be refused
CALM: Final = 0.85  # of the places; below it and well within the target, quality comes back
WELL_WITHIN: Final = 0.8  # of the target
LESS: Final = 0.85  # a window: from full quality to a quarter in some four seconds
MORE: Final = 0.05  # a window: and back in some eight, so that it does not swing
FORGET_SECONDS: Final = 5.0  # without pages; what was, says nothing of now

NOTICEABLE: Final = 0.5
"""Below this an answer says that it is of less quality, and nothing is rearranged and no reason given. At this factor
one item in twenty of a page is another than at full quality (MovieLens latest-small), at half of it one in ten."""

LEAST_CANDIDATES: Final = 30  # of a source; fewer would save nothing more and show


class Quality:
    """A factor from 1, all that was asked for, down to `least`."""

    def __init__(self, clock: Clock, target: float, least: float, fullness: Callable[[], float] = lambda: 0.0) -> None:
        self._clock = clock
        self._target = target  # seconds
        self._least = least
        self._fullness = fullness  # how much of the room for requests is taken, 1: all
        self._factor = 1.0
        self._begin = self._last = clock.seconds()
        self._pages = self._slow = self._near = 0
        self._full = 0.0

    @property
    def factor(self) -> float:
        if self._factor < 1.0 and self._clock.seconds() - self._last > FORGET_SECONDS:
            self._factor = 1.0
        return self._factor

    def page_took(self, seconds: float) -> None:
        """A page was made in that time."""
        now = self._last = self._clock.seconds()
        if not self._pages:
            self._begin = now
        self._pages += 1
        self._slow += seconds > self._target
        self._near += seconds > self._target * WELL_WITHIN
        self._full += self._fullness()
        if self._pages >= WINDOW_PAGES and now - self._begin >= WINDOW_SECONDS:
            self._turn()

    def _turn(self) -> None:
        few, full = max(1.0, SLOW_SHARE * self._pages), self._full / self._pages
        if self._slow > few or full >= FULL:
            self._factor = max(self._least, self._factor * LESS)
        elif self._near <= few and full <= CALM:
            self._factor = min(1.0, self._factor + MORE)
        self._pages = self._slow = self._near = 0
        self._full = 0.0


def affordable(run: Run, wanted: Wanted) -> Wanted:
    """What is made of what was wanted. The page itself is always filled."""
    if run.quality >= 1.0:
        return wanted
    each = wanted.candidates_per_source
    needed = wanted.last if wanted.last <= each else LEAST_CANDIDATES
    fewer = min(each, max(LEAST_CANDIDATES, needed, round(run.quality * each)))
    if run.quality >= NOTICEABLE:
        return replace(wanted, candidates_per_source=fewer)
    run.note(QUALITY)
    return replace(wanted, candidates_per_source=fewer, diversity=0.0, explain=False)
