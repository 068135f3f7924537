"""What an event says of a user's taste: one rule for training and for live events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Relative to a like. An event of a type that is not listed counts as a view.
DEFAULT_EVENT_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "view": 0.3,
        "click": 0.3,
        "play": 0.5,
        "cart": 0.6,
        "review": 1.0,
        "rating": 1.0,
        "like": 1.0,
        "purchase": 1.0,
        "dislike": -1.0,
    }
)

# A rating is taken as one to five stars: five count in full, and the scale turns negative below the neutral point.
BEST_RATING: Final = 5.0
NEUTRAL_RATING: Final = 2.0


def event_weight(type: str, value: float | None, weights: Mapping[str, float] = DEFAULT_EVENT_WEIGHTS) -> float:  # noqa: A002
    """The weight of one event; `value` scales ratings, other types ignore it."""
    weight = weights.get(type, weights.get("view", DEFAULT_EVENT_WEIGHTS["view"]))
    if type != "rating" or value is None or math.isnan(value):
        return weight
    scale = (value - NEUTRAL_RATING) / (BEST_RATING - NEUTRAL_RATING)
    return weight * min(max(scale, -1.0), 1.0)


def combine(earlier: float, later: float) -> float:
    """The weight of an item after a further event: a change of mind replaces, a weaker echo does not."""
    if earlier * later > 0 and abs(earlier) > abs(later):
        return earlier
    return later
