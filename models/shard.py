"""One shard of the items with all that is known about them: the best of each source among its own."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.blend import PROPOSERS
from models.bundle import BundleData
from models.catalogue import Catalogue, ItemRecord, items_of
from models.data import Float32, History, Int32
from models.ease import Ease, EaseOfShard
from models.enrichment import Enrichment
from models.entries import NEIGHBOURS, query_weights
from models.histories import EMPTY, HISTORY_LIMIT
from models.opinions import ByHistory, ByNumber, ByVector, Opinion, by_slot
from models.sasrec import vectors_of
from models.sources import SOURCES
from models.sparse import Rows
from models.title import Rarity
from models.vectors import Vectors
from models.words import Words

__all__ = ["SOURCES", "Candidates", "ItemRecord", "ItemShard", "Query", "shard_of"]


def shard_of(item_id: str, shards: int) -> int:
    return zlib.crc32(item_id.encode()) % shards


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. A source without its part of the query has no opinion."""

    factors: Float32 | None = None  # of "ials" and "new"
    content: Float32 | None = None  # of "content", and of "new" where there are no factors
    history: History | None = None  # of "itemknn", "transitions", "ease" and "rp3beta"
    sequence: Float32 | None = None  # of "sequence"
    text: str = ""  # of "title" and "words"
    surface: str = ""  # whose PROPOSERS alone propose; empty: all sources do
    count: int = 100  # candidates a source
    sources: frozenset[str] | None = None  # None: all
    exclude: Collection[str] = ()
    filter: str = ""
    explain: bool = False
    titles: bool = False  # are wanted beside the ids


@dataclass(frozen=True, slots=True)
class Candidates:
    """The union of the sources' best in order of their ids, and every source's score of each of them."""

    item_ids: Sequence[str]
    scores: Mapping[str, Float32]  # of the sources that had a query; NaN: no opinion
    because: Mapping[str, Int32]  # where explanations were asked for: the history's entry that spoke most, -1: none
    is_new: NDArray[np.bool_]
    titles: Sequence[str] = ()  # where they were asked for


class ItemShard:
    """Owns the items whose `shard_of` is `shard`. One thread at a time."""

    def __init__(self, bundle: BundleData, shard: int = 0, shards: int = 1) -> None:
        table = bundle.table("items")
        ids = table["id"].to_pylist()
        rows = [row for row, item in enumerate(ids) if shard_of(item, shards) == shard]
        own = np.array(sorted(rows, key=ids.__getitem__), np.int64)
        self._shard, self._shards = shard, shards
        self._row_of = {item: row for row, item in enumerate(ids)}
        self._factors, self._learned = bundle.array("item_factors"), bundle.array("item_learned")
        rarity = Rarity(table["title"].to_pylist())  # of the whole bundle: shards score alike
        contents = bundle.array("item_contents")[own]
        words = Words(bundle, own, len(ids))
        infos = items_of(table.take(own))
        expected = vectors_of(bundle, own)
        self._catalogue = Catalogue(infos, self._factors[own], contents, expected, rarity, words, Enrichment(bundle))
        self._popularity = np.array(bundle.array("popularity")[own])
        self._trending = np.array(bundle.array("trending")[own])
        self._trends = bool(bundle.array("trending").any())  # data without times has no trends
        self._neighbours = {name: Rows.of(bundle, name).only_columns(own, len(ids)) for name in NEIGHBOURS}
        self._ease = EaseOfShard(Ease.of(bundle), own, len(ids))
        self._weights = query_weights(bundle)

    def __len__(self) -> int:
        return len(self._catalogue)

    def put(self, records: Sequence[ItemRecord]) -> None:
        """Adds items, or replaces what they are; what users taught of an item of the bundle stays."""
        self._catalogue.put([self._with_learned_factors(record) for record in records])

    def _with_learned_factors(self, record: ItemRecord) -> ItemRecord:
        if shard_of(record.info.id, self._shards) != self._shard:
            raise ValueError(f"item {record.info.id!r} does not belong to shard {self._shard} of {self._shards}")
        row = self._row_of.get(record.info.id)
        return record if row is None or not self._learned[row] else replace(record, factors=self._factors[row])

    def delete(self, item_ids: Iterable[str]) -> int:
        """How many of the ids were there."""
        return self._catalogue.delete(item_ids)

    def get(self, item_ids: Iterable[str]) -> list[ItemRecord]:
        """In the order asked; unknown ids are left out."""
        return [record for record in map(self._catalogue.record, item_ids) if record is not None]

    def search(self, query: Query) -> Candidates:
        """Exclusions and the filter apply before the best are taken; among equal scores the smaller ids are taken.

        Raises FilterError for a wrong filter, ValueError for a query that cannot be asked.
        """
        if query.count < 1:
            raise ValueError(f"count is {query.count}; it must be 1 or more")
        opinions = self._opinions(query)
        allowed = self._catalogue.allowed(query.exclude, query.filter)
        proposed = np.zeros(len(allowed), np.bool_)
        for name in PROPOSERS[query.surface] if query.surface else SOURCES:
            if name in opinions:
                proposed[opinions[name].propose(allowed, query.count)] = True
        ids = self._catalogue.ids
        slots = self._catalogue.by_id(np.flatnonzero(proposed))
        reasons = {name: opinion.because(slots) for name, opinion in opinions.items()} if query.explain else {}
        return Candidates(
            [ids[slot] for slot in slots.tolist()],
            {name: opinion.scores(slots) for name, opinion in opinions.items()},
            {name: entries for name, entries in reasons.items() if entries is not None},
            self._catalogue.columns[slots] < 0,
            [self._catalogue.infos[slot].title for slot in slots.tolist()] if query.titles else (),
        )

    def _opinions(self, query: Query) -> dict[str, Opinion]:
        """Of every source that is asked and has its part of the query."""
        asked = SOURCES if query.sources is None else [name for name in SOURCES if name in query.sources]
        if query.sources is not None and len(asked) < len(query.sources):
            raise ValueError(f"unknown sources {sorted(query.sources - set(SOURCES))}; known are {', '.join(SOURCES)}")
        known = self._rows(query.history)
        found = {name: self._opinion(name, query, known) for name in asked}
        return {name: opinion for name, opinion in found.items() if opinion is not None}

    def _opinion(self, name: str, query: Query, known: Int32) -> Opinion | None:
        """None: the query has nothing for this source. `known`: the rows of its history's entries."""
        catalogue = self._catalogue
        match name:
            case "ials":
                return self._inner_product(catalogue.factors, query.factors)
            case "content":
                return self._inner_product(catalogue.contents, query.content)
            case "sequence":
                return self._inner_product(catalogue.expected, query.sequence)
            case "new":
                put = catalogue.columns < 0
                by_factors = self._inner_product(catalogue.factors, query.factors, put)
                return by_factors or self._inner_product(catalogue.contents, query.content, put)
            case "itemknn" | "transitions" | "rp3beta":
                weights = self._weights[name](query.history or EMPTY)
                known, width = known[: len(weights)], len(self._popularity)
                return ByHistory.of(catalogue, self._neighbours[name], known, weights, width)
            case "ease":
                weights = self._weights[name](query.history or EMPTY)
                told = self._ease.scores(known[: len(weights)], weights)
                return None if told is None else ByNumber(catalogue, by_slot(catalogue, told))
            case "title":
                titles = catalogue.titles.scores(query.text)
                return None if titles is None else ByNumber(catalogue, titles)
            case "words":
                shared = catalogue.words.scores(query.text, catalogue.columns)
                return None if shared is None else ByNumber(catalogue, shared)
            case "trending":
                return ByNumber(catalogue, by_slot(catalogue, self._trending)) if self._trends else None
            case _:
                return ByNumber(catalogue, by_slot(catalogue, self._popularity))

    def _inner_product(
        self, vectors: Vectors, query: Float32 | None, among: NDArray[np.bool_] | None = None
    ) -> ByVector | None:
        if query is None or not np.any(query):
            return None
        if query.shape != (vectors.dimension,) or not np.isfinite(query).all():
            raise ValueError(f"a query vector has {query.size} numbers; {vectors.dimension} finite ones are needed")
        known = vectors.known if among is None else vectors.known & among
        return ByVector(self._catalogue, vectors, np.ascontiguousarray(query, np.float32), known)

    def _rows(self, history: History | None) -> Int32:
        """Of the newest entries the rows in the bundle, -1: an item of none. No source looks at more."""
        ids = history.item_ids[:HISTORY_LIMIT] if history is not None else ()
        return np.array([self._row_of.get(item, -1) for item in ids], np.int32)
