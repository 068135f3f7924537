"""What the ranker looks at: a row of numbers for each candidate, by the same lines in training and in serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.bundle import BundleData
from models.data import Float32, Float64, History, Interactions
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


def feature_names(sources: Sequence[str]) -> tuple[str, ...]:
    """In the order of the columns; `sources` are those whose scores count."""
    by_source = [f"{kind} of {source}" for source in sources for kind in ("score", "share of the best", "rank")]
    compared = [f"{kind} like the last {last}" for kind in _COMPARED for last in LAST]
    return ("blend", *by_source, *_OF_ITEM, *_OF_USER, *compared)


class Features:
    """Computes the features of a user's candidates. Items that the bundle does not know have none."""

    def __init__(self, bundle: BundleData, sources: Sequence[str]) -> None:
        self.sources = tuple(sources)
        self._row_of = {item: row for row, item in enumerate(bundle.table("items")["id"].to_pylist())}
        self._learned = bundle.array("item_learned")
        self._items = np.stack([bundle.array(name) for name in ("popularity", "item_recent", "item_age")], axis=1)
        factors = bundle.array("item_factors")
        lengths = np.sqrt(np.einsum("ij,ij->i", factors, factors))
        self._factors, self._shrink = factors, np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        self._contents = bundle.array("item_contents")
        self._neighbours = [Rows.of(bundle, name) for name in ("transitions", "itemknn")]

    def rows(self, item_ids: Sequence[str]) -> Int64:
        """Of each item its row in the bundle, -1: users taught nothing of it."""
        rows = np.array([self._row_of.get(item, -1) for item in item_ids], np.int64)
        rows[rows >= 0] = np.where(self._learned[rows[rows >= 0]], rows[rows >= 0], -1)
        return rows

    def table(self, rows: Int64, blend: Float32, scores: Mapping[str, Float32], history: History) -> Float32:
        """Candidates by features. `rows` are theirs in the bundle, `blend` and `scores` in the same order."""
        nothing = np.full(len(rows), np.nan, np.float32)
        told = ((source, scores.get(source, nothing)) for source in self.sources)
        by_source = [column for source, given in told for column in _of_source(source, given)]
        items = self._items[rows]
        entries = self._entries(history)
        user = self._of_user(history, entries, items[:, 0])
        compared = self._compared(rows, entries)
        return np.column_stack([blend, *by_source, items, *user, *compared]).astype(np.float32)

    def _entries(self, history: History) -> Int64:
        """The rows of the newest entries that were not disliked."""
        newest = zip(history.item_ids[:HISTORY_LIMIT], history.weights[:HISTORY_LIMIT].tolist(), strict=True)
        rows = (self._row_of.get(item, -1) for item, weight in newest if weight >= 0)
        return np.array([row for row in rows if row >= 0], np.int64)

    def _of_user(self, history: History, entries: Int64, popularity: Float32) -> list[Float32]:
        mean = np.float32(self._items[entries, 0].mean() if len(entries) else 0)
        length = np.float32(np.log1p(min(len(history), HISTORY_LIMIT)))
        return [np.full(len(popularity), length), np.full(len(popularity), mean), popularity - mean]

    def _compared(self, rows: Int64, entries: Int64) -> list[Float32]:
        """The mean cosine, or weight of neighbourhood, to the last entries."""
        found = []
        for vectors, scale in ((self._factors, self._shrink), (self._contents, None)):
            own, last = vectors[rows], vectors[entries[: max(LAST)]]
            if scale is not None:
                own, last = own * scale[rows][:, None], last * scale[entries[: max(LAST)]][:, None]
            found += self._means(own @ last.T)
        for neighbours in self._neighbours:
            found += self._means(self._weights(neighbours, rows, entries[: max(LAST)]))
        return found

    def _weights(self, neighbours: Rows, rows: Int64, entries: Int64) -> Float32:
        """Candidates by entries."""
        place = np.full(len(self._row_of), -1, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        which, columns, values = neighbours.gather(entries.astype(np.int32))
        inside = place[columns] >= 0
        found = np.zeros((len(rows), len(entries)), np.float32)
        found[place[columns[inside]], which[inside]] = values[inside]
        return found

    def _means(self, compared: Float32) -> list[Float32]:
        if not compared.shape[1]:
            return [np.zeros(len(compared), np.float32) for _ in LAST]
        return [compared[:, :last].mean(axis=1) for last in LAST]


def _of_source(source: str, scores: Float32) -> tuple[Float32, Float32, Float32]:
    """The score, the score over the user's best, and the capped rank among the candidates it proposes."""
    spoken = ~np.isnan(scores) & ((scores > 0) | (source not in ABOVE_ZERO))
    known = np.where(np.isnan(scores), MISSING, scores).astype(np.float32)
    best = np.max(np.abs(scores[spoken]), initial=np.float32(1e-9))
    share = np.where(known == MISSING, MISSING, known / best).astype(np.float32)
    order = np.argsort(-known, kind="stable")
    ranks = np.empty(len(order), np.float32)
    ranks[order] = np.minimum(np.arange(len(order)), CAP)
    return known, share, np.where(spoken, ranks, np.float32(CAP + 1)).astype(np.float32)


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
