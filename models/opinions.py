"""What one source says of the items of a shard: which it proposes, how it scores any of them, and why."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.data import Float32, Int32
from models.sparse import Int64, Rows
from models.vectors import Vectors


class Opinion(Protocol):
    """One source's part in one search; slots are those of the catalogue."""

    def propose(self, allowed: NDArray[np.bool_], count: int) -> Int64:
        """The best `count` of the allowed slots, in any order; among equal scores those of the smaller ids."""

    def scores(self, slots: Int64) -> Float32:
        """NaN: no opinion."""

    def because(self, slots: Int64) -> Int32 | None:
        """For each slot the entry of the history that spoke most for it, -1: none. None: a source without entries."""


@dataclass(frozen=True, slots=True)
class ByVector:
    """An inner product with a query."""

    catalogue: Catalogue
    vectors: Vectors
    query: Float32
    among: NDArray[np.bool_]  # the slots this source knows

    def propose(self, allowed: NDArray[np.bool_], count: int) -> Int64:
        slots, scores = self.vectors.best(self.query, count, allowed & self.among)
        return best(self.catalogue, slots, scores, count)

    def scores(self, slots: Int64) -> Float32:
        return np.where(self.among[slots], self.vectors.scores(slots, self.query), np.float32(np.nan))

    def because(self, slots: Int64) -> Int32 | None:
        return None


@dataclass(frozen=True, slots=True)
class ByNumber:
    """A number for every slot; only those above zero are proposed."""

    catalogue: Catalogue
    numbers: Float32

    def propose(self, allowed: NDArray[np.bool_], count: int) -> Int64:
        slots = np.flatnonzero(allowed & (self.numbers > 0))
        return best(self.catalogue, slots, self.numbers[slots], count)

    def scores(self, slots: Int64) -> Float32:
        return self.numbers[slots]

    def because(self, slots: Int64) -> Int32 | None:
        return None


@dataclass(frozen=True, slots=True)
class ByHistory(ByNumber):
    """The sum of what each entry of a history says: rows of a matrix of neighbours, weighted."""

    rows: Rows
    known: Int32  # the row of each entry of the history, -1: none
    columns: Int32  # of every summand
    summands: Float32

    @classmethod
    def of(cls, catalogue: Catalogue, rows: Rows, known: Int32, weights: Float32, width: int) -> ByHistory | None:
        """`known`: the row of each entry of the history, -1: none. None: no entry is known."""
        entries = np.flatnonzero(known >= 0)
        if not len(entries):
            return None
        columns, summands = rows.weighted(known[entries], weights[entries])
        # Summed in the order of the history, whichever columns the shard has.
        sums = np.bincount(columns, summands, minlength=width).astype(np.float32)
        return cls(catalogue, by_slot(catalogue, sums), rows, known, columns, summands)

    def because(self, slots: Int64) -> Int32 | None:
        speaking = self.summands > 0
        # Later assignments replace earlier ones: ascending, and backwards, so that of equal ones the first entry stays.
        order = np.flatnonzero(speaking)[::-1]
        order = order[np.argsort(self.summands[order], kind="stable")]
        strongest = np.full(len(self.catalogue.column_of) + 1, -1, np.int32)  # the last: slots without a column
        entries = np.flatnonzero(self.known >= 0).astype(np.int32)
        which, _, _ = self.rows.gather(self.known[entries])
        strongest[self.columns[order]] = entries[which[order]]
        return strongest[self.catalogue.columns[slots]]


def by_slot(catalogue: Catalogue, of_column: Float32) -> Float32:
    """Numbers of the bundle's columns as numbers of slots, NaN where a slot has no column."""
    later = catalogue.columns[catalogue.in_place :]
    if not len(later):
        return of_column
    return np.concatenate([of_column[: catalogue.in_place], np.append(of_column, np.float32(np.nan))[later]])


def best(catalogue: Catalogue, slots: Int64, scores: Float32, count: int) -> Int64:
    """The `count` of the slots with the largest scores; among equal ones those of the smaller ids."""
    if len(slots) <= count:
        return slots
    last = np.partition(scores, -count)[-count]
    above, tied = slots[scores > last], slots[scores == last]
    wanted = count - len(above)
    if wanted < len(tied):
        chosen = heapq.nsmallest(wanted, tied.tolist(), key=catalogue.ids.__getitem__)
        tied = np.array(chosen, np.int64)
    return np.concatenate([above, tied])
