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

STARRED: Final = frozenset({"rating", "review"})  # whose value is one to five stars, and whose text is an opinion

# A rating is taken as one to five stars: five count in full, and the scale turns negative below the neutral point.
BEST_RATING: Final = 5.0
NEUTRAL_RATING: Final = 2.0


def event_weight(
    type: str,  # noqa: A002
    value: float | None,
    weights: Mapping[str, float] = DEFAULT_EVENT_WEIGHTS,
    opinion: float | None = None,
    share_beside_stars: float = 0.0,
) -> float:
    """The weight of one event. Stars and opinions scale ratings and reviews; other types ignore both.

    `opinion`: what the text says, from -1 to 1. Beside stars it counts the given share.
    """
    weight = weights.get(type, weights.get("view", DEFAULT_EVENT_WEIGHTS["view"]))
    if type not in STARRED:
        return weight
    if value is None or math.isnan(value):
        return weight if opinion is None else weight * opinion
    stars = min(max((value - NEUTRAL_RATING) / (BEST_RATING - NEUTRAL_RATING), -1.0), 1.0)
    return weight * (stars if opinion is None else stars + share_beside_stars * (opinion - stars))


def combine(earlier: float, later: float) -> float:
    """The weight of an item after a further event: a change of mind replaces, a weaker echo does not."""
    if earlier * later > 0 and abs(earlier) > abs(later):
        return earlier
    return later
