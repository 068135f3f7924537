"""Trending: popularity that forgets, so that what is taken a lot these days stands above what was.

Counts decay forward (Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay", 2009): an event weighs more the later it
is, and no earlier one needs to be touched when another comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data import Float32, Float64, Interactions

DAY = 86_400.0
# A catalogue that changes in weeks shows it in events of weeks, one that changes in years in those of months.
SHARE_OF_SPAN = 0.02
FIRST = 0.01  # the quantile from which the time of the data is measured: one wrong date would stretch the whole
# Times below are no times but places in sequences: as Unix times they would lie in 1970.
EARLIEST = 1e7


@dataclass(frozen=True, slots=True)
class TrendingConfig:
    """Settings of trending."""

    half_life_days: float | None = None  # after which an event counts half; None: SHARE_OF_SPAN of the data's time

    def __post_init__(self) -> None:
        if self.half_life_days is not None and self.half_life_days <= 0:
            raise ValueError("half_life_days is above 0")


def fit(data: Interactions, config: TrendingConfig) -> Float32:
    """log(1 + decayed count) of every item as of the last event; zeros where the data has no times."""
    if not len(data) or data.timestamps.max() < EARLIEST:
        return np.zeros(len(data.item_ids), np.float32)
    weights = decayed(data, half_life(data.timestamps, config))
    return np.log1p(np.bincount(data.items, weights, minlength=len(data.item_ids))).astype(np.float32)


def half_life(timestamps: Float64, config: TrendingConfig) -> float:
    """In seconds."""
    first, last = np.quantile(timestamps, [FIRST, 1.0])
    return half_life_of(float(first), float(last), config)


def half_life_of(first: float, last: float, config: TrendingConfig) -> float:
    """In seconds; `first` is the quantile FIRST of the times."""
    if config.half_life_days is not None:
        return config.half_life_days * DAY
    return max((last - first) * SHARE_OF_SPAN, DAY)


def decayed(data: Interactions, half_life: float) -> Float64:
    """What each event counts at the time of the last one; dislikes do not count."""
    ages = data.timestamps.max() - data.timestamps
    return np.asarray(np.maximum(data.weights, 0) * 0.5 ** (ages / half_life), np.float64)
