"""How much everybody took of an item: the last resort, and a small part of the blend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data import Float32, Interactions

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class PopularityConfig:
    """Settings of popularity."""

    half_life_days: float = 0.0  # after which an event counts half; 0: events do not age

    def __post_init__(self) -> None:
        if self.half_life_days < 0:
            raise ValueError("half_life_days is 0 or more")


def fit(data: Interactions, config: PopularityConfig) -> Float32:
    """log(1 + weighted count) of every item, so that one hit does not dwarf the rest; dislikes do not count."""
    weights = np.maximum(data.weights, 0).astype(np.float64)
    if config.half_life_days and len(data):
        weights *= 0.5 ** ((data.timestamps.max() - data.timestamps) / (config.half_life_days * DAY))
    return np.log1p(np.bincount(data.items, weights, minlength=len(data.item_ids))).astype(np.float32)
