"""Timeline: what callers saw while something was done to those they call."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

STEP: Final = 0.25  # seconds, to which the time to recover is told
ALLOWED: Final = 2.0  # times as long as before: what counts as recovered


@dataclass(frozen=True, slots=True)
class Sample:
    """One call."""

    begin: float
    took: float
    error: str = ""  # empty: it was answered
    lost: tuple[str, ...] = ()  # what its answer went without


@dataclass(slots=True)
class Timeline:
    """The calls of a load, by when they began; `struck` and `ended` say when the fault did."""

    samples: list[Sample] = field(default_factory=list[Sample])
    struck: float = math.inf
    ended: float = math.inf

    @property
    def failures(self) -> Counter[str]:
        return Counter(each.error for each in self.samples if each.error)

    @property
    def failed(self) -> int:
        return self.failures.total()

    def went_without(self, *but: str) -> int:
        """Answers that lacked something other than this."""
        return sum(bool(set(each.lost) - set(but)) for each in self.samples)

    def between(self, begin: float, end: float) -> Sequence[Sample]:
        return [each for each in self.samples if begin <= each.begin < end]

    @property
    def before(self) -> Sequence[Sample]:
        return [each for each in self.samples if each.begin + each.took < self.struck]

    @property
    def after(self) -> Sequence[Sample]:
        return self.between(self.struck, self.ended)

    def p99_after(self, seconds: float) -> float:
        """Of what began so long after the strike, or later, while the fault went on."""
        return quantile(self.between(self.struck + seconds, self.ended), 0.99)

    def recovery(self) -> float:
        """Seconds after the strike from which on no call fails, and 99 % take no more than ALLOWED times as long as
        before; infinite where that is never so."""
        allowed = ALLOWED * quantile(self.before, 0.99)
        later = 0.0
        while rest := self.between(self.struck + later, self.ended):
            if quantile(rest, 0.99) <= allowed and not any(each.error for each in rest):
                return later
            later += STEP
        return math.inf


def quantile(samples: Iterable[Sample], share: float) -> float:
    """Seconds; a call that failed took as long as it took. NaN of none."""
    ordered = sorted(each.took for each in samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan
