"""One shard of the items with all that is known about them: the best of each source among its own."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundle import BundleData
from models.data import Float32, History, Int32, ItemInfo
from models.sources import SOURCES

__all__ = ["SOURCES", "Candidates", "ItemRecord", "ItemShard", "Query", "shard_of"]


def shard_of(item_id: str, shards: int) -> int:
    return zlib.crc32(item_id.encode()) % shards


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item and where it stands in both spaces."""

    info: ItemInfo
    factors: Float32
    content: Float32
    is_new: bool = True  # it came after the bundle was made


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. A source without its part of the query has no opinion."""

    factors: Float32 | None = None  # of "ials" and "new"
    content: Float32 | None = None  # of "content", and of "new" where there are no factors
    history: History | None = None  # of "itemknn" and "transitions"
    text: str = ""  # of "title"
    count: int = 100  # a source
    sources: frozenset[str] | None = None  # None: all
    exclude: Collection[str] = ()
    filter: str = ""
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """The union of the sources' best, and every source's score of each of them."""

    item_ids: Sequence[str]
    scores: Mapping[str, Float32]  # NaN: no opinion
    because: Mapping[str, Int32]  # which entry of the history spoke most for it, -1: none
    is_new: NDArray[np.bool_]


class ItemShard:
    """Owns the items whose `shard_of` is `shard`. One thread at a time."""

    def __init__(self, bundle: BundleData, shard: int = 0, shards: int = 1) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def search(self, query: Query) -> Candidates:
        """Exclusions and the filter apply before the best are taken; equal scores are ordered by id."""
        raise NotImplementedError

    def put(self, records: Sequence[ItemRecord]) -> None:
        """Adds items, or replaces what they are; what users taught of an item of the bundle stays."""
        raise NotImplementedError

    def delete(self, item_ids: Iterable[str]) -> int:
        """How many of the ids were there."""
        raise NotImplementedError

    def get(self, item_ids: Iterable[str]) -> list[ItemRecord]:
        """In the order asked; unknown ids are left out."""
        raise NotImplementedError
