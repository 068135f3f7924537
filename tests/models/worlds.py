"""Small worlds whose right answers are known by construction, and models fitted on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from models.content import ContentConfig
from models.data import History, Interactions, ItemInfo
from models.ials import IalsConfig
from models.tokenizer import TokenizerConfig
from training.fit import FitConfig, FittedModels, fit_models
from training.progress import SilentProgress

SMALL = FitConfig(
    tokenizer=TokenizerConfig(vocabulary=200),
    content=ContentConfig(dimension=8),
    # A dozen items instead of thousands: the defaults would regularise everything away.
    ials=IalsConfig(dimension=8, steps=5, regularization=0.05, text_pull=0.1, half_life=0.0),
)

COLOURS = ("black", "white")
WORDS = ("knight", "castle", "night", "rook"), ("garden", "bride", "summer", "rose")


def colour_of(item_id: str) -> int:
    return int(item_id) % 2


def item(number: int) -> ItemInfo:
    """Texts of one colour have words of their own."""
    colour = number % 2
    words = WORDS[colour]
    return ItemInfo(
        str(number),
        title=f"The {words[number // 2 % 4].title()} {number}",
        text=f"A {COLOURS[colour]} story of a {' and a '.join(words)}.",
        categories=(COLOURS[colour],),
        attributes={"year": 1900.0 + number},
    )


def missing(user: int, items: int) -> int:
    """The one item of the user's colour that the user does not have."""
    return 2 * (user // 2 % (items // 2)) + user % 2


def checkerboard(users: int = 24, items: int = 12) -> tuple[Interactions, list[ItemInfo]]:
    """User u took every item of the colour u % 2 but one, round in a circle up to where that one would follow."""
    rows = [(u, (missing(u, items) + 2 * step) % items) for u in range(users) for step in range(1, items // 2)]
    return interactions(rows, users, items), [item(number) for number in range(items)]


def interactions(
    rows: Sequence[tuple[int, int]], users: int, items: int, weights: Sequence[float] | None = None
) -> Interactions:
    """Rows of (user, item), each user's in order of time."""
    order = sorted(range(len(rows)), key=lambda row: rows[row][0])
    return Interactions(
        user_ids=[f"u{user}" for user in range(users)],
        item_ids=[str(number) for number in range(items)],
        users=np.array([rows[row][0] for row in order], np.int32),
        items=np.array([rows[row][1] for row in order], np.int32),
        weights=np.array([1.0 if weights is None else weights[row] for row in order], np.float32),
        timestamps=np.arange(len(rows), dtype=np.float64),
    )


def history(*item_ids: str, weights: Sequence[float] | None = None) -> History:
    """Newest first."""
    return History(
        item_ids,
        np.array([1.0] * len(item_ids) if weights is None else weights, np.float32),
        np.arange(len(item_ids), 0, -1, dtype=np.float64),
    )


@lru_cache(maxsize=1)
def fitted() -> FittedModels:
    """The checkerboard's models; not to be changed."""
    return fit_models(*checkerboard(), SMALL, SilentProgress())
