"""The items of a shard: those of the bundle, and those put or deleted since."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.data import Float32, Int32, ItemInfo
from models.enrichment import Enrichment
from models.filters import compile_filter
from models.sparse import Int64
from models.title import Rarity, Titles
from models.vectors import Vectors
from models.words import Words

FILTERS_KEPT = 32  # masks of the last filters; each takes a byte an item
# Slots are rebuilt without the dead ones when there are so many times the living, and some: each put is then paid
# for by a constant share of the rebuilding.
DEAD_FACTOR = 2
DEAD_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item and where it stands in both spaces."""

    info: ItemInfo
    factors: Float32
    content: Float32
    is_new: bool = True  # it came after the bundle was made


class Catalogue:
    """Items in slots. A put appends a slot and leaves an earlier one of the same id dead.

    What the bundle knows of an item stands in a column of its own matrices; `columns` tells which, -1: none. Its items
    are given in order of their ids.
    """

    def __init__(
        self,
        infos: Sequence[ItemInfo],
        factors: Float32,
        contents: Float32,
        expected: Float32,
        rarity: Rarity,
        words: Words,
        enrichment: Enrichment,
    ) -> None:
        self.infos = list(infos)
        self.ids = [info.id for info in infos]  # beside the infos: every search reads hundreds
        self.factors = Vectors(factors)
        self.contents = Vectors(contents)
        self.expected = Vectors(expected)  # of the sequence model; zeros: it learnt nothing of the item
        self._learned = np.append(expected, np.zeros_like(expected, shape=(1, expected.shape[1])), axis=0)
        self.titles = Titles([info.title for info in infos], rarity)
        self._rarity = rarity
        self.words = words
        self._enrichment = enrichment
        self.columns: Int32 = np.arange(len(infos), dtype=np.int32)
        self.in_place = len(infos)  # so many slots, the first ones, hold the columns one after the other
        self.alive: NDArray[np.bool_] = np.ones(len(infos), np.bool_)
        self.column_of = {info.id: column for column, info in enumerate(infos)}
        self._slot_of = dict(self.column_of)
        self._masks: OrderedDict[str, NDArray[np.bool_]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slot_of)

    def record(self, item_id: str) -> ItemRecord | None:
        slot = self._slot_of.get(item_id)
        if slot is None:
            return None
        place = np.array([slot], np.int64)
        factors, content = self.factors.rows(place)[0], self.contents.rows(place)[0]
        return ItemRecord(self.infos[slot], factors, content, bool(self.columns[slot] < 0))

    def by_id(self, slots: Int64) -> Int64:
        """The slots, which ascend, in order of their items' ids."""
        if not len(slots) or slots[-1] < self.in_place:
            return slots
        return np.array(sorted(slots.tolist(), key=self.ids.__getitem__), np.int64)

    def put(self, records: Sequence[ItemRecord]) -> None:
        """Of several records of one id the last counts. ValueError: nothing of it was done."""
        latest = list({record.info.id: record for record in records}.values())
        infos = [record.info for record in latest]
        factors = _stacked([record.factors for record in latest], self.factors.dimension)
        contents = _stacked([record.content for record in latest], self.contents.dimension)
        self.words.put(len(self.infos), infos)
        self._retire(info.id for info in infos)
        self._slot_of |= {info.id: slot for slot, info in enumerate(infos, len(self.infos))}
        self.infos += self._enrichment.enriched(infos)
        self.ids += [info.id for info in infos]
        self.factors.append(factors)
        self.contents.append(contents)
        self.titles.append([info.title for info in infos])
        columns = np.array([self.column_of.get(info.id, -1) for info in infos], np.int32)
        self.expected.append(self._learned[columns])  # the last row, of zeros, where there is no column
        self.columns = np.concatenate([self.columns, columns])
        self.alive = np.concatenate([self.alive, np.ones(len(infos), np.bool_)])
        if len(self.infos) > len(self) * DEAD_FACTOR + DEAD_KEPT:
            self._compact()

    def delete(self, item_ids: Iterable[str]) -> int:
        """How many of the ids were there."""
        before = len(self)
        self._retire(item_ids)
        return before - len(self)

    def _retire(self, item_ids: Iterable[str]) -> None:
        for item_id in item_ids:
            slot = self._slot_of.pop(item_id, None)
            if slot is not None:
                self.alive[slot] = False
        self._masks.clear()

    def _compact(self) -> None:
        """Gives the dead slots' memory back."""
        slots = np.flatnonzero(self.alive)
        self.infos = [self.infos[slot] for slot in slots.tolist()]
        self.ids = [info.id for info in self.infos]
        self.factors = Vectors(self.factors.rows(slots))
        self.contents = Vectors(self.contents.rows(slots))
        self.expected = Vectors(self.expected.rows(slots))
        self.titles = Titles([info.title for info in self.infos], self._rarity)
        self.words.keep(slots.tolist())
        self.columns, self.alive, self.in_place = self.columns[slots], self.alive[slots], 0
        self._slot_of = {item_id: slot for slot, item_id in enumerate(self.ids)}

    def allowed(self, exclude: Collection[str], filter_text: str) -> NDArray[np.bool_]:
        """Which slots may be found. Raises FilterError."""
        mask = self.alive & self._filtered(filter_text) if filter_text else self.alive.copy()
        mask[[slot for slot in map(self._slot_of.get, exclude) if slot is not None]] = False
        return mask

    def _filtered(self, text: str) -> NDArray[np.bool_]:
        mask = self._masks.pop(text, None)
        if mask is None:
            mask = compile_filter(text).mask(self.infos)
        self._masks[text] = mask
        if len(self._masks) > FILTERS_KEPT:
            self._masks.popitem(last=False)
        return mask


def _stacked(rows: Sequence[Float32], dimension: int) -> Float32:
    if not len(rows):
        return np.zeros((0, dimension), np.float32)
    if any(row.shape != (dimension,) or not np.isfinite(row).all() for row in rows):
        sizes = sorted({row.size for row in rows})
        raise ValueError(f"items' vectors have {sizes} numbers, {dimension} finite ones are needed")
    return np.array(rows, np.float32)


def items_table(items: Sequence[ItemInfo]) -> pa.Table:
    """Items as a bundle stores them."""
    return pa.table(
        {
            "id": pa.array([item.id for item in items], pa.string()),
            "title": pa.array([item.title for item in items], pa.string()),
            "text": pa.array([item.text for item in items], pa.string()),
            "categories": pa.array([list(item.categories) for item in items], pa.list_(pa.string())),
            "attributes": pa.array([json.dumps(dict(item.attributes), sort_keys=True) for item in items], pa.string()),
            "created": pa.array([item.created for item in items], pa.float64()),
        }
    )


def items_of(table: pa.Table) -> list[ItemInfo]:
    """The inverse of `items_table`."""
    columns = (table[name].to_pylist() for name in ("id", "title", "text", "categories", "attributes", "created"))
    return [
        ItemInfo(id_, title, text, tuple(categories), _attributes(attributes), created)
        for id_, title, text, categories, attributes, created in zip(*columns, strict=True)
    ]


def _attributes(text: str) -> dict[str, str | float | bool | tuple[str, ...] | None]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}
