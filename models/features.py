"""What the ranker looks at: a row of numbers for each candidate, by the same lines in training and in serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.bundle import BundleData
from models.data import Float32, Float64, History, Int32, Interactions
from models.histories import HISTORY_LIMIT
from models.sources import ABOVE_ZERO
from models.sparse import Int64, Rows
from models.writer import Parts

MISSING: Final = np.float32(-1e6)  # in place of a score nobody gave: below any, and finite for the trees
CAP: Final = 100  # ranks from here on are one: serving and training need not agree on how deep a list goes
LATELY: Final = 0.1  # the share of all events that are the latest ones
LAST: Final = (1, 3, 10)  # of a history's entries, what a candidate is compared with
DAY: Final = 86_400.0

_OF_ITEM: Final = ("popularity", "recent share", "age")
_OF_USER: Final = ("history length", "mean popularity of the history", "popularity above the history's")
_COMPARED: Final = ("factors", "content", "transitions", "itemknn")
_OF_SEQUENCE: Final = "sequence"  # the source whose items are compared too: on MovieLens-1M in order .2016 after .2003


def feature_names(sources: Sequence[str]) -> tuple[str, ...]:
    """In the order of the columns; `sources` are those whose scores count."""
    by_source = [f"{kind} of {source}" for source in sources for kind in ("score", "share of the best", "rank")]
    kinds = (*_COMPARED, _OF_SEQUENCE) if _OF_SEQUENCE in sources else _COMPARED
    compared = [f"{kind} like the last {last}" for kind in kinds for last in LAST]
    return ("blend", *by_source, *_OF_ITEM, *_OF_USER, *compared)


@dataclass(frozen=True, slots=True)
class Directions:
    """Vectors of items, of which only the direction counts."""

    vectors: Float32
    shrink: Float32  # of each, to the length of 1; zeros stay

    @classmethod
    def of(cls, vectors: Float32) -> Directions:
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        return cls(vectors, np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0))

    def cosines(self, rows: Int64, others: Int64) -> Float32:
        mine, theirs = (self.vectors[each] * self.shrink[each][:, None] for each in (rows, others))
        return np.asarray(mine @ theirs.T, np.float32)


class Features:
    """Computes the features of a user's candidates. Items that the bundle does not know have none."""

    def __init__(self, bundle: BundleData, sources: Sequence[str]) -> None:
        self.sources = tuple(sources)
        self._row_of = {item: row for row, item in enumerate(bundle.table("items")["id"].to_pylist())}
        self._learned = np.append(bundle.array("item_learned"), False)  # the last: of no item
        self._items = np.stack([bundle.array(name) for name in ("popularity", "item_recent", "item_age")])
        self._factors = Directions.of(bundle.array("item_factors"))
        self._contents = bundle.array("item_contents")
        self._neighbours = [Rows.of(bundle, name) for name in ("transitions", "itemknn")]
        self._in_order = [Directions.of(bundle.array("sequence_items"))] if _OF_SEQUENCE in self.sources else []
        # Of a source that counts what speaks for an item, a score of zero is no proposal.
        least = [0.0 if name in ABOVE_ZERO else -np.inf for name in self.sources]
        self._least = np.array(least, np.float32).reshape(-1, 1)

    def rows(self, item_ids: Sequence[str]) -> Int64:
        """Of each item its row in the bundle, -1: users taught nothing of it."""
        rows = np.array([self._row_of.get(item, -1) for item in item_ids], np.int64)
        return np.where(self._learned[rows], rows, -1)

    def table(self, rows: Int64, blend: Float32, scores: Mapping[str, Float32], history: History) -> Float32:
        """Candidates by features. `rows` are theirs in the bundle, `blend` and `scores` in the same order."""
        entries = self._entries(history)
        items = self._items.take(rows, axis=1)
        # In one block, a feature after the other: as it is made, and as trees read it.
        columns = np.concatenate(
            [
                blend[None],
                self._of_sources(scores, len(rows)),
                items,
                self._of_user(history, entries, items[0]),
                self._compared(rows, entries),
            ],
            dtype=np.float32,
        )
        return columns.T

    def _entries(self, history: History) -> Int64:
        """The rows of the newest entries that were not disliked."""
        newest = zip(history.item_ids[:HISTORY_LIMIT], history.weights[:HISTORY_LIMIT].tolist(), strict=True)
        rows = (self._row_of.get(item, -1) for item, weight in newest if weight >= 0)
        return np.array([row for row in rows if row >= 0], np.int64)

    def _of_sources(self, scores: Mapping[str, Float32], candidates: int) -> Float32:
        """Of each source the score, the score over the user's best, and the capped rank among what it proposes."""
        told = np.full((len(self.sources), candidates), np.nan, np.float32)
        for place, source in enumerate(self.sources):
            if source in scores:
                told[place] = scores[source]
        spoken = told > self._least
        known = np.where(np.isnan(told), MISSING, told)
        best = np.max(np.abs(told), axis=1, where=spoken, initial=np.float32(1e-9))
        share = np.where(known == MISSING, MISSING, known / best[:, None])
        ranks = np.empty_like(told)
        numbers = np.minimum(np.arange(candidates, dtype=np.float32), CAP)
        np.put_along_axis(ranks, np.argsort(-known, axis=1, kind="stable"), numbers[None], axis=1)
        found = np.stack([known, share, np.where(spoken, ranks, np.float32(CAP + 1))], axis=1)
        return found.reshape(3 * len(self.sources), candidates)

    def _of_user(self, history: History, entries: Int64, popularity: Float32) -> Float32:
        mean = np.float32(self._items[0, entries].mean() if len(entries) else 0)
        length = np.float32(np.log1p(min(len(history), HISTORY_LIMIT)))
        found = np.empty((len(_OF_USER), len(popularity)), np.float32)
        found[0], found[1], found[2] = length, mean, popularity - mean
        return found

    def _compared(self, rows: Int64, entries: Int64) -> Float32:
        """The mean cosine, or weight of neighbourhood, to the last entries."""
        last = entries[: max(LAST)]
        if not len(last):
            kinds = len(_COMPARED) + len(self._in_order)
            return np.zeros((kinds * len(LAST), len(rows)), np.float32)
        compared = [self._factors.cosines(rows, last), self._contents[rows] @ self._contents[last].T]
        place = np.full(len(self._row_of), -1, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        compared += [_weights(neighbours, place, last, len(rows)) for neighbours in self._neighbours]
        compared += [directions.cosines(rows, last) for directions in self._in_order]
        table = np.stack(compared)
        return np.stack([table[:, :, :number].mean(axis=2) for number in LAST], axis=1).reshape(-1, len(rows))


def _weights(neighbours: Rows, place: Int32, entries: Int64, candidates: int) -> Float32:
    """Candidates by entries. `place`: of every item of the bundle its number among the candidates, -1: it is none."""
    which, columns, values = neighbours.gather(entries.astype(np.int32))
    numbers = place[columns]
    inside = numbers >= 0
    found = np.zeros((candidates, len(entries)), np.float32)
    found[numbers[inside], which[inside]] = values[inside]
    return found


def add_item_features(parts: Parts, data: Interactions) -> None:
    """The share of an item's events that are among the latest of all, and the logarithm of its age in days."""
    items = len(data.item_ids)
    if not len(data):
        add_counted(parts, np.zeros(items), np.zeros(items), np.zeros(items), 0.0)
        return
    latest = data.timestamps > np.quantile(data.timestamps, 1 - LATELY)
    first = np.full(items, data.timestamps.max())
    np.minimum.at(first, data.items, data.timestamps)
    counts, late = (np.bincount(each, minlength=items) for each in (data.items, data.items[latest]))
    add_counted(parts, counts, late, first, data.timestamps.max())


def add_counted(parts: Parts, counts: NDArray[Any], late: NDArray[Any], first: Float64, last: float) -> None:
    """From each item's events, those among the latest of all, and its first time; `last`: of all events."""
    parts.arrays["item_recent"] = (late / np.maximum(counts, 1)).astype(np.float32)
    parts.arrays["item_age"] = np.log1p((last - first) / DAY).astype(np.float32)
