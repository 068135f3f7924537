"""A dataset as it was read: events in the order of the source, items, users, and what was noticed on the way."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.data import AttributeValue, Float64, Int32, ItemInfo


@dataclass(frozen=True, slots=True)
class Events:
    """Who did what, as parallel columns in the order of the source."""

    user_ids: Sequence[str]  # in the order of their first event, as are the items
    item_ids: Sequence[str]
    types: Sequence[str]
    users: Int32  # index user_ids, and so on
    items: Int32
    kinds: Int32
    values: Float64  # NaN: none
    timestamps: Float64  # as in the source, in whatever unit; NaN: none
    texts: Mapping[int, str]  # row -> review

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything a directory says."""

    name: str
    path: Path
    layout: str
    events: Events
    items: Mapping[str, ItemInfo]  # those that are described; events may name more
    users: Mapping[str, Mapping[str, AttributeValue]]
    opinions: Sequence[tuple[str, float]]  # texts that are no reviews of items, and the stars they stand for
    event_weights: Mapping[str, float]
    rows: Mapping[str, int]  # file -> rows that were found in it
    rejected: Mapping[str, Mapping[str, int]]  # file -> reason -> rows
    notes: Mapping[str, int]  # what was noticed or left out while reading
    not_read: Sequence[str]  # files of the directory that no table stands for
    fingerprint: str  # sha256 over the names and contents of the files that were read


@dataclass(slots=True)
class EventColumns:
    """Collects events row by row in little memory: 32 bytes a row, each id once."""

    users: array[int] = field(default_factory=lambda: array("i"))
    items: array[int] = field(default_factory=lambda: array("i"))
    kinds: array[int] = field(default_factory=lambda: array("i"))
    values: array[float] = field(default_factory=lambda: array("d"))
    timestamps: array[float] = field(default_factory=lambda: array("d"))
    texts: dict[int, str] = field(default_factory=dict)
    user_numbers: dict[str, int] = field(default_factory=dict)
    item_numbers: dict[str, int] = field(default_factory=dict)
    type_numbers: dict[str, int] = field(default_factory=dict)

    def add(self, user: str, item: str, kind: str, value: float, timestamp: float, text: str = "") -> None:
        if text:
            self.texts[len(self.users)] = text
        self.users.append(self.user_numbers.setdefault(user, len(self.user_numbers)))
        self.items.append(self.item_numbers.setdefault(item, len(self.item_numbers)))
        self.kinds.append(self.type_numbers.setdefault(kind, len(self.type_numbers)))
        self.values.append(value)
        self.timestamps.append(timestamp)

    def finish(self) -> Events:
        return Events(
            user_ids=list(self.user_numbers),
            item_ids=list(self.item_numbers),
            types=list(self.type_numbers),
            users=np.array(self.users, dtype=np.int32),
            items=np.array(self.items, dtype=np.int32),
            kinds=np.array(self.kinds, dtype=np.int32),
            values=np.array(self.values, dtype=np.float64),
            timestamps=np.array(self.timestamps, dtype=np.float64),
            texts=self.texts,
        )
