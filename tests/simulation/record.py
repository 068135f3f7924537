"""Record: what came of the calls of a simulation, second by second."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from recmesh.rpc import Status

GOOD: float = 0.9
"""The share of the calls of a second that must be answered for things to be well."""


class Second:
    """The calls that began in one second."""

    __slots__ = ("attempts", "calls", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.attempts = 0  # sent in it
        self.seconds = array("d")  # that each answer took

    @property
    def good(self) -> bool:
        return len(self.seconds) >= GOOD * self.calls


class Record:
    """Counts calls by the second they began in, and keeps how long each answer took."""

    def __init__(self) -> None:
        self.open = 0
        self.seconds: defaultdict[int, Second] = defaultdict(Second)
        self.failures = Counter[str]()
        self.longest = 0.0  # of all calls, failed ones included

    def began(self, begin: float) -> None:
        self.open += 1
        self.seconds[int(begin)].calls += 1

    def sent(self, now: float) -> None:
        """An attempt has left its caller."""
        self.seconds[int(now)].attempts += 1

    def answered(self, begin: float, took: float) -> None:
        self.open -= 1
        self.longest = max(self.longest, took)
        self.seconds[int(begin)].seconds.append(took)

    def failed(self, begin: float, status: Status, took: float) -> None:
        self.open -= 1
        self.longest = max(self.longest, took)
        self.failures[status.name] += 1

    def between(self, begin: float, end: float) -> Sequence[Second]:
        return [self.seconds[each] for each in range(int(begin), int(end))]

    def recovery(self, fault_ends: float, until: float) -> float:
        """Seconds from there until all is well for good."""
        bad = [each for each in range(int(fault_ends), int(until)) if not self.seconds[each].good]
        return bad[-1] + 1 - fault_ends if bad else 0.0


def calls(seconds: Iterable[Second]) -> int:
    return sum(each.calls for each in seconds)


def answers(seconds: Iterable[Second]) -> int:
    return sum(len(each.seconds) for each in seconds)


def attempts(seconds: Iterable[Second]) -> int:
    return sum(each.attempts for each in seconds)


def percentiles(seconds: Iterable[Second], *shares: float) -> tuple[float, ...]:
    """Under how many seconds so many of the answers took; NaN where there are none."""
    took = sorted(each for second in seconds for each in second.seconds)
    if not took:
        return (math.nan,) * len(shares)
    return tuple(took[min(len(took) - 1, math.ceil(share * len(took)) - 1)] for share in shares)
