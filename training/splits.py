"""Cuts of interactions into a part to learn from and a part to be measured on, in order of time.

`temporal` cuts each user's own events: the latest fifth is held out. It keeps every user with two events
measurable, also where people come once, act in one burst and never return. Its limit: users are cut at different
moments, so what is learnt from one user may be younger than what is held out for another. It says how well
the next steps of known users are told, not how well a model does on tomorrow's trends.

`temporal_global` cuts all events at one moment, as a running system would meet them. Only users with events on
both sides can be measured, which on bursty data leaves few: of the 610 users of ml-latest-small, 28.

`leave_one_out` holds out each user's last event, the protocol of most papers on sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.data import Int32, Interactions

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Parts of the same interactions; all keep the numbering of users and items of the whole."""

    train: Interactions
    test: Interactions
    shown: Interactions | None = None  # what is told of the users who are asked for; None: the same as `train`

    @property
    def known(self) -> Interactions:
        """What a question may tell of a user."""
        return self.train if self.shown is None else self.shown

    @cached_property
    def targets(self) -> Mapping[int, Int32]:
        """For each user number with something to find: the items to find, ascending.

        Those are the held-out items the user took to (weight above zero) and is not known to have: what is known
        already is left out of every ranking. Users of whom nothing is known are not asked for.
        """
        # Kept: of a million interactions it takes half a second, and a fit asks ten times.
        known, size = np.zeros(len(self.known.user_ids), np.bool_), max(len(self.known.item_ids), 1)
        known[self.known.users] = True
        wanted = (self.test.weights > 0) & known[self.test.users]
        pairs = np.setdiff1d(
            self.test.users[wanted].astype(np.int64) * size + self.test.items[wanted],
            self.known.users.astype(np.int64) * size + self.known.items,
        )
        users, starts = np.unique(pairs // size, return_index=True)
        columns = (pairs % size).astype(np.int32)
        return dict(zip(users.tolist(), np.split(columns, starts[1:]), strict=False))


@dataclass(frozen=True, slots=True)
class Latest:
    """Each user's last events, `share` of them and at least so many; the first one stays in training.

    Events of the same second keep the order of the source; a cut may fall between them.
    """

    share: float = 0.0
    events: int = 1

    def held_out_of(self, data: Interactions) -> Split:
        counts = np.bincount(data.users, minlength=len(data.user_ids))
        held_out = np.minimum(np.maximum(np.rint(counts * self.share), self.events), counts - 1)
        return _cut(data, places_from_the_end(data.users, counts) < held_out[data.users])


def temporal(data: Interactions, share: float = HELD_OUT_SHARE) -> Split:
    """Each user's last events, `share` of them and at least one."""
    return Latest(share).held_out_of(data)


def temporal_global(data: Interactions, share: float = HELD_OUT_SHARE) -> Split:
    """Everything after the moment that leaves `share` of the events behind it."""
    if not len(data):
        return _cut(data, np.zeros(0, dtype=bool))
    return _cut(data, data.timestamps > np.quantile(data.timestamps, 1 - share, method="lower"))


def leave_one_out(data: Interactions) -> Split:
    """Each user's last event; a user's only event stays in training."""
    return Latest().held_out_of(data)


def places_from_the_end(users: Int32, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row its distance to the last row of its user; rows are ordered by user, then time."""
    return np.cumsum(counts)[users] - 1 - np.arange(len(users))


def _cut(data: Interactions, held_out: NDArray[np.bool_]) -> Split:
    return Split(rows(data, ~held_out), rows(data, held_out))


def rows(data: Interactions, chosen: NDArray[np.bool_]) -> Interactions:
    """Only the chosen rows; the numbering stays."""
    return replace(
        data,
        users=data.users[chosen],
        items=data.items[chosen],
        weights=data.weights[chosen],
        timestamps=data.timestamps[chosen],
    )
