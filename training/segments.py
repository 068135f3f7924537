"""Figures of parts of the users and of the items: short and long histories, popular, rare and cold items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data import Float64, Int32
from training.metrics import per_user

# The most events of each group of users. Fold-in changes most at few events; past a hundred little does.
LENGTHS: Final = ((5, "up to 5 events"), (20, "6 to 20 events"), (100, "21 to 100 events"))
LONGER: Final = "over 100 events"
# Items in order of their takers: those that have the first third of all events, the second, and the rest.
POPULAR, MIDDLING, RARE, COLD = "popular items", "middling items", "rare items", "cold items"


@dataclass(frozen=True, slots=True)
class Segment:
    """The users of a segment, and of what they wanted the part that lies in it."""

    name: str
    users: NDArray[np.int64]  # rows of the asked users
    relevant: Sequence[Int32]


@dataclass(frozen=True, slots=True)
class SegmentFigure:
    """Means over a segment's users."""

    segment: str
    model: str
    users: int
    ndcg: float
    recall: float


def segments(lengths: NDArray[np.int64], relevant: Sequence[Int32], takers: Float64) -> Iterator[Segment]:
    """Those that hold anybody. `lengths`: known events of each asked user; `takers`: of every item."""
    bounds = [most for most, _ in LENGTHS]
    groups = np.searchsorted(bounds, lengths)
    for number, name in enumerate([*(name for _, name in LENGTHS), LONGER]):
        users = np.flatnonzero(groups == number)
        if len(users):
            yield Segment(name, users, [relevant[user] for user in users.tolist()])
    of_items = popularity_groups(takers)
    for number, name in enumerate((POPULAR, MIDDLING, RARE, COLD)):
        wanted = [items[of_items[items] == number] for items in relevant]
        users = np.array([row for row, items in enumerate(wanted) if len(items)], np.int64)
        if len(users):
            yield Segment(name, users, [wanted[user] for user in users.tolist()])


def popularity_groups(takers: Float64) -> NDArray[np.int64]:
    """For every item 0 popular, 1 middling, 2 rare, 3 cold: nobody took it."""
    order = np.argsort(-takers, kind="stable")
    before = np.cumsum(takers[order]) - takers[order]
    groups = np.empty(len(takers), np.int64)
    groups[order] = np.minimum(before * 3 // max(takers.sum(), 1), 2).astype(np.int64)
    groups[takers == 0] = 3
    return groups


def figures(segment: Segment, model: str, ranked: Int32, catalogue: int, k: int) -> SegmentFigure:
    found = per_user(ranked[segment.users], segment.relevant, catalogue, k)
    return SegmentFigure(
        segment.name, model, len(segment.users), float(found["ndcg"].mean()), float(found["recall"].mean())
    )
