"""Sequences of users cut into windows, and windows of about one length put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.data import Int32, Interactions
from models.sparse import Int64


@dataclass(frozen=True, slots=True)
class Sequences:
    """What each user took, oldest first: user `u` has `items[starts[u] : starts[u + 1]]`."""

    items: Int32
    starts: Int64

    @classmethod
    def of(cls, data: Interactions) -> Sequences:
        """Only what was wished for: what serves leaves the rest out alike."""
        wished = data.weights > 0
        counts = np.bincount(data.users[wished], minlength=len(data.user_ids))
        return cls(data.items[wished], np.concatenate(([0], np.cumsum(counts))).astype(np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Int64:
        return np.diff(self.starts)

    def without_last(self, users: Int64) -> Sequences:
        """These users' last entries are left out; each of them has some."""
        kept = np.ones(len(self.items), np.bool_)
        kept[self.starts[users + 1] - 1] = False
        lengths = self.lengths
        lengths[users] -= 1
        return Sequences(self.items[kept], np.concatenate(([0], np.cumsum(lengths))).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows filled up at their ends with the first row."""

    rows: Int64  # (n, length): what was taken
    wanted: Int64  # of every place that is not filled up: what was taken next
    places: Int64  # where in `rows`, as if it were flat


def batches(sequences: Sequences, length: int, events: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Each step of each user once, in an order that is drawn; a batch has about so many `events`.

    Where the windows of a long sequence begin is drawn anew each time, else the same steps would always be the first
    of a window, with nothing before them.
    """
    starts, lengths = _windows(sequences, length, rng)
    if not len(starts):
        return
    order = np.lexsort((rng.random(len(starts)), lengths))  # those of about one length together: little is filled up
    groups = np.split(order, _bounds(lengths[order], events))
    for place in rng.permutation(len(groups)).tolist():
        yield _batch(sequences.items, starts[groups[place]], lengths[groups[place]])


def _windows(sequences: Sequences, length: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """The first place and the number of steps of every window."""
    steps = np.maximum(sequences.lengths - 1, 0)
    first = np.where(steps > length, rng.integers(1, length + 1, len(steps)), np.minimum(steps, length))
    more = -(-(steps - first) // length)
    users = np.repeat(np.arange(len(steps)), more + 1)
    nth = np.arange(len(users)) - np.repeat(np.cumsum(more + 1) - (more + 1), more + 1)
    begin = np.where(nth == 0, 0, first[users] + (nth - 1) * length)
    end = np.minimum(first[users] + nth * length, steps[users])
    some = end > begin
    return (sequences.starts[users] + begin)[some], (end - begin)[some]


def _bounds(sizes: Int64, events: int) -> Int64:
    """Where a batch ends: before its windows take more than `events` places."""
    batch = np.cumsum(sizes) // events
    return np.flatnonzero(np.diff(batch)) + 1


def _batch(items: Int32, starts: Int64, lengths: Int64) -> Batch:
    inside = np.arange(lengths.max()) < lengths[:, None]
    places = np.where(inside, starts[:, None] + np.arange(lengths.max()), starts[:, None])
    rows = np.where(inside, items[places], 0).astype(np.int64)
    return Batch(rows, items[places[inside] + 1].astype(np.int64), np.flatnonzero(inside))
