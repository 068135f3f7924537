"""The histories of users: those a bundle carries, and how a live history goes on top of one."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from models.bundle import BundleData
from models.data import Float32, History, Interactions
from models.events import combine
from models.writer import Parts

HISTORY_LIMIT: Final = 500  # entries that queries look at: bounds what a query costs where entries do not age
FORGOTTEN: Final = 10  # half-lives after which an entry is not looked at: it would count a thousandth
# In places of a history, the one first that holds where nothing can be measured; 0: entries do not age. A fit chooses
# for each source on its validation slice: ratings of one sitting, purchases, and data whose order says little differ.
HALF_LIVES: Final = (20.0, 0.0, 3.0)
# Entries that are kept out of answers: what the feedback service returns at most.
SEEN_LIMIT: Final = 10_000

EMPTY: Final = History((), np.zeros(0, np.float32), np.zeros(0, np.float64))


class Histories:
    """The histories of every user a bundle was fitted on."""

    def __init__(self, bundle: BundleData) -> None:
        self._rows = {user: row for row, user in enumerate(bundle.table("users")["id"].to_pylist())}
        self._item_ids: list[str] = bundle.table("items")["id"].to_pylist()
        self._starts = bundle.array("history_starts")
        self._items = bundle.array("history_items")
        self._weights = bundle.array("history_weights")
        self._timestamps = bundle.array("history_timestamps")

    def of(self, user_id: str) -> History | None:
        row = self._rows.get(user_id)
        if row is None:
            return None
        part = slice(int(self._starts[row]), int(self._starts[row + 1]))
        ids = [self._item_ids[item] for item in self._items[part].tolist()]
        return History(ids, np.array(self._weights[part]), np.array(self._timestamps[part]))


def add_histories(parts: Parts, data: Interactions) -> None:
    """Interactions in their order (user, then time), one a pair, as rows of histories, newest first."""
    counts = np.bincount(data.users, minlength=len(data.user_ids))
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    newest_first = (starts[:-1] + starts[1:] - 1)[data.users] - np.arange(len(data))
    parts.arrays["history_starts"] = starts
    parts.arrays["history_items"] = data.items[newest_first]
    parts.arrays["history_weights"] = data.weights[newest_first]
    parts.arrays["history_timestamps"] = data.timestamps[newest_first]


def merge(bundle_history: History | None, live_history: History | None, limit: int) -> History:
    """One entry an item, newest first, at most `limit`; entries of the same time: live ones first, then in their order.

    Where both know an item the later time stands and `combine` decides the weight.
    """
    if bundle_history is None or not len(bundle_history):
        return _cut(live_history or EMPTY, limit)
    if live_history is None or not len(live_history):
        return _cut(bundle_history, limit)
    entries = {item: (time, weight) for item, weight, time in _entries(bundle_history)}
    merged: dict[str, tuple[float, float]] = {}
    for item, weight, time in _entries(live_history):
        if item in entries:
            earlier, later = sorted((entries[item], (time, weight)), key=lambda entry: entry[0])
            time, weight = later[0], combine(earlier[1], later[1])
        merged[item] = (time, weight)
    merged |= {item: entry for item, entry in entries.items() if item not in merged}
    newest = sorted(merged.items(), key=lambda pair: -pair[1][0])[:limit]
    return History(
        [item for item, _ in newest],
        np.array([entry[1] for _, entry in newest], np.float32),
        np.array([entry[0] for _, entry in newest], np.float64),
    )


def _entries(history: History) -> list[tuple[str, float, float]]:
    return list(zip(history.item_ids, history.weights.tolist(), history.timestamps.tolist(), strict=True))


def _cut(history: History, limit: int) -> History:
    if len(history) <= limit:
        return history
    return History(history.item_ids[:limit], history.weights[:limit], history.timestamps[:limit])


def decayed_weights(history: History, half_life: float | None) -> Float32:
    """What the newest entries count: their weights, halved with every `half_life` places they lie back.

    0: they do not age. None: the first of HALF_LIVES.
    """
    half_life = HALF_LIVES[0] if half_life is None else half_life
    if not half_life:
        return history.weights[:HISTORY_LIMIT]
    entries = min(len(history), HISTORY_LIMIT, math.ceil(FORGOTTEN * half_life))
    places = np.arange(entries, dtype=np.float32)
    return np.asarray(history.weights[:entries] * np.float32(0.5) ** (places / np.float32(half_life)), np.float32)
