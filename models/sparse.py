"""Sparse matrices of items: building rows of best neighbours, cutting columns, adding up a user's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.bundle import BundleData
from models.data import Float32, Int32, Interactions
from models.writer import Parts

Int64: TypeAlias = NDArray[np.int64]
Matrix: TypeAlias = "sparse.csr_array[np.float32, tuple[int, int]]"

BLOCK_ELEMENTS = 4_000_000  # of a dense block: 16 MB of float32, which stays near the cache


@dataclass(frozen=True, slots=True)
class Rows:
    """A matrix in compressed rows: row r holds `columns` and `values` from starts[r] to starts[r + 1]."""

    starts: Int64
    columns: Int32
    values: Float32

    @classmethod
    def of(cls, bundle: BundleData, name: str) -> Rows:
        return cls(*(bundle.array(f"{name}_{part}") for part in ("starts", "columns", "values")))

    def add_to(self, parts: Parts, name: str) -> None:
        parts.arrays[f"{name}_starts"] = self.starts
        parts.arrays[f"{name}_columns"] = self.columns
        parts.arrays[f"{name}_values"] = self.values

    def only_columns(self, kept: Int64, width: int) -> Rows:
        """The matrix of `width` columns cut to the `kept` ones, which are numbered in that order."""
        number = np.full(width, -1, np.int32)
        number[kept] = np.arange(len(kept), dtype=np.int32)
        columns = number[self.columns]
        chosen = columns >= 0
        before = np.concatenate(([0], np.cumsum(chosen, dtype=np.int64)))
        return Rows(before[self.starts], columns[chosen], self.values[chosen])

    def gather(self, rows: Int32) -> tuple[Int32, Int32, Float32]:
        """Every element of the given rows, in their order: (place in `rows`, column, value)."""
        sizes, elements = self._elements(rows)
        places = np.repeat(np.arange(len(rows), dtype=np.int32), sizes)
        return places, self.columns.take(elements), self.values.take(elements)

    def weighted(self, rows: Int32, weights: Float32) -> tuple[Int32, Float32]:
        """The same elements, each times the weight of its row: (column, product)."""
        sizes, elements = self._elements(rows)
        return self.columns.take(elements), self.values.take(elements) * np.repeat(weights, sizes)

    def _elements(self, rows: Int32) -> tuple[Int64, Int64]:
        """How many every row has, and where all of them stand."""
        starts = self.starts.take(rows)
        sizes = self.starts.take(rows.astype(np.int64) + 1) - starts
        elements = np.repeat(starts + sizes - np.cumsum(sizes), sizes)
        elements += np.arange(len(elements))
        return sizes, elements


def matrix(rows: NDArray[Any], columns: NDArray[Any], values: Float32, shape: tuple[int, int]) -> Matrix:
    """Values of the same place are added up."""
    return cast(Matrix, sparse.coo_array((values.astype(np.float32), (rows, columns)), shape=shape).tocsr())


def matrix_of(data: Interactions) -> Matrix:
    """Users by items, signed weights."""
    return matrix(data.users, data.items, data.weights, (len(data.user_ids), len(data.item_ids)))


def row_blocks(rows: int) -> Iterator[slice]:
    """Slices of a square matrix whose dense form stays within BLOCK_ELEMENTS."""
    size = max(1, BLOCK_ELEMENTS // max(rows, 1))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def best_of_rows(blocks: list[tuple[Int32, Int32, Float32]], rows: int) -> Rows:
    """Joins blocks of (row, column, value) that follow each other in row order."""
    row, column, value = (np.concatenate(part) if part else np.zeros(0) for part in zip(*blocks, strict=True))
    starts = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows)))).astype(np.int64)
    return Rows(starts, column.astype(np.int32), value.astype(np.float32))


def largest(block: Matrix, count: int, first_row: int) -> tuple[Int32, Int32, Float32]:
    """The `count` largest positive elements of every row as (row, column, value), columns ascending.

    Of equal ones those that stand first. Only rows with more are looked at one by one: most rows of a large catalogue
    are nearly empty.
    """
    chosen = block.data > 0
    before = np.concatenate(([0], np.cumsum(chosen)))
    sizes = before[block.indptr[1:]] - before[block.indptr[:-1]]
    for row in np.flatnonzero(sizes > count).tolist():
        start, end = block.indptr[row : row + 2].tolist()
        values = block.data[start:end]
        last = np.partition(values, -count)[-count]
        chosen[start:end] = above = values > last
        tied = np.flatnonzero(values == last)[: count - np.count_nonzero(above)]
        chosen[start + tied] = True
    sizes = np.minimum(sizes, count)
    parts = (block.data[chosen], block.indices[chosen], np.concatenate(([0], np.cumsum(sizes))))
    found = sparse.csr_array(parts, shape=block.shape)
    found.sort_indices()
    rows = np.repeat(np.arange(first_row, first_row + block.shape[0]), sizes)
    return rows.astype(np.int32), found.indices.astype(np.int32), found.data.astype(np.float32)


def row_numbers(block: Matrix) -> Int64:
    """The row of each element, as `block.indices` is its column."""
    return np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
