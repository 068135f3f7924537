"""How sure a figure is, and a difference of two: over users, for they are what chance drew.

Intervals are percentile bootstrap intervals (Efron and Tibshirani 1993; for rankings: Sakai 2006). A difference is
tested by randomisation: were two models the same, whose figure is whose would be chance for each user (Smucker, Allan
and Carterette 2007). No p is below 1 / (draws + 1) (Phipson and Smyth 2010), and those of one table are corrected for
their number after Holm (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.data import Float64

LEVEL: Final = 0.95
RESAMPLES: Final = 2_000  # the ends of an interval then move by about a hundredth of its width from seed to seed
FLIPS: Final = 10_000  # so that p = .05 is known to .002
AT_ONCE: Final = 4_000_000  # numbers drawn at a time: 32 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it may lie."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the mean of one model is above another's for the same users."""

    of: str
    above: str
    mean: float
    low: float
    high: float
    p: float  # that chance alone makes a difference as large, corrected for the number of comparisons


def interval(values: Float64, rng: np.random.Generator) -> Interval:
    return intervals(values[:, None], rng)[0]


def intervals(columns: Float64, rng: np.random.Generator) -> list[Interval]:
    """Of each column of users by figures, all from the same draws of users."""
    users, width = columns.shape
    if not users:
        return [Interval(0.0, 0.0, 0.0)] * width
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(_resampled(columns, rng), [tail, 1 - tail], axis=0)
    means = columns.mean(axis=0)
    return [Interval(*map(float, ends)) for ends in zip(means, low, high, strict=True)]


def differences(
    by_model: Mapping[str, Float64], reference: str, others: Sequence[str], rng: np.random.Generator
) -> list[Difference]:
    """The reference against each other model, figure by figure of the same users."""
    found = []
    for other in others:
        gain = by_model[reference] - by_model[other]
        around = interval(gain, rng)
        found.append((other, around, randomised(gain, rng)))
    corrected = holm([p for _, _, p in found])
    return [
        Difference(reference, other, around.mean, around.low, around.high, p)
        for (other, around, _), p in zip(found, corrected, strict=True)
    ]


def randomised(gain: Float64, rng: np.random.Generator) -> float:
    """Two-sided p of a mean of paired differences, by flipping their signs."""
    told = gain[gain != 0]  # a flip of nothing changes nothing
    if not len(told):
        return 1.0
    # A hair below, so that sums of the same differences in another order count as equal.
    seen = abs(float(told.sum())) * (1 - 1e-9)
    as_large, done = 0, 0
    while done < FLIPS:
        draws = min(max(AT_ONCE // len(told), 1), FLIPS - done)
        signs = rng.integers(0, 2, (draws, len(told)), np.int8) * 2.0 - 1.0
        as_large += int((np.abs(signs @ told) >= seen).sum())
        done += draws
    return (as_large + 1) / (FLIPS + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p as if it were the only one: the smallest times their number, the next times one less, and so on."""
    corrected, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, min(1.0, ps[place] * (len(ps) - rank)))
        corrected[place] = least
    return corrected


def _resampled(columns: Float64, rng: np.random.Generator) -> Float64:
    """Draws by columns: the means over users drawn with replacement."""
    users, means = len(columns), []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, users, users), minlength=users)
        means.append(times @ columns / users)
    return np.array(means)
