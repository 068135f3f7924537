"""Sums over all users: each worker adds up its own, the driver or another worker adds up theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
from scipy import sparse

from models.data import Float64, Interactions
from models.sparse import Int64, Matrix, Rows, best_of_rows, largest, matrix_of
from training.spark.histories import Histories, chunks, of_bytes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Of a dense block of items by items. As a sparse one it takes three times that on its way: 12 MB, some at once a core.
BLOCK_ELEMENTS: Final = 1_000_000

_VECTORS: Final = "values binary"
_BLOCK: Final = "block int, starts binary, columns binary, values binary"
_FOUND: Final = "rows binary, columns binary, values binary"

# What a few users say of some items, as rows of items by items.
RowsOf: TypeAlias = Callable[[Int64], Matrix]


def sum_vectors(histories: Histories, of_chunk: Callable[[Interactions], Float64]) -> Float64:
    """The sum of the arrays `of_chunk` gives; all of one shape."""
    width = histories.width

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total: Float64 | None = None
        for chunk in chunks(batches, width):
            found = of_chunk(chunk)
            total = found if total is None else total + found
        if total is not None:
            yield of_bytes(_VECTORS, [total])

    shape = of_chunk(empty(width)).shape
    total = np.zeros(shape)
    for row in histories.rows.select("items", "weights", "times").mapInArrow(run, _VECTORS).toLocalIterator():
        total += np.frombuffer(row["values"]).reshape(shape)
    return total


def empty(width: int) -> Interactions:
    """Nobody's interactions with so many items."""
    nothing = np.zeros(0, np.int32)
    return Interactions([], [""] * width, nothing, nothing, np.zeros(0, np.float32), np.zeros(0))


def blocks_of(histories: Histories) -> int:
    """Into how many parts the rows of items by items fall, so that each stays within BLOCK_ELEMENTS here."""
    partitions = int(str(histories.rows.sparkSession.conf.get("spark.sql.shuffle.partitions")))
    return max(1, min(histories.width, max(partitions, -(-(histories.width**2) // BLOCK_ELEMENTS))))


def rows_of_block(block: int, blocks: int, width: int) -> Int64:
    """Every so-manieth item: popular ones are spread."""
    return np.arange(block, width, blocks)


def sum_blocks(histories: Histories, of_chunk: Callable[[Interactions], RowsOf], blocks: int) -> DataFrame:
    """Items by items in blocks of rows, one row of `_BLOCK` for each chunk and block; equal blocks are to be added."""
    width = histories.width

    def work(chunk: Interactions) -> Iterator[pa.RecordBatch]:
        of_items = of_chunk(chunk)
        for block in range(blocks):
            found = of_items(rows_of_block(block, blocks, width))
            if found.nnz:
                yield _sent(found, block)

    return histories.chunked(work, _BLOCK)


def _sent(found: Matrix, block: int) -> pa.RecordBatch:
    parts = (found.indptr.astype(np.int64), found.indices.astype(np.int32), found.data.astype(np.float32))
    return of_bytes(_BLOCK, parts, block=block)


def added_blocks(
    histories: Histories, of_chunk: Callable[[Interactions], RowsOf], width: int
) -> Iterator[tuple[int, Matrix]]:
    """Blocks of the sum by their numbers. They come one by one: many at once are more than the driver may hold."""
    blocks = blocks_of(histories)

    def add(table: pa.Table) -> pa.Table:
        return pa.Table.from_batches([_sent(added(table, width), table["block"][0].as_py())])

    by_block = sum_blocks(histories, of_chunk, blocks).repartition(blocks, "block").groupBy("block")
    for row in by_block.applyInArrow(add, _BLOCK).toLocalIterator():
        yield row["block"], added(pa.Table.from_pylist([row.asDict()]), width)


def added(table: pa.Table, width: int) -> Matrix:
    """The sum of a block's parts."""
    total: Matrix | None = None
    for row in table.to_pylist():
        starts = np.frombuffer(row["starts"], np.int64)
        parts = (np.frombuffer(row["values"], np.float32), np.frombuffer(row["columns"], np.int32), starts)
        found = sparse.csr_array(parts, shape=(len(starts) - 1, width))
        total = found if total is None else total + found
    if total is None:
        raise ValueError("a block without parts")
    return total


def best_rows(
    histories: Histories,
    of_chunk: Callable[[Interactions], RowsOf],
    finish: Callable[[Matrix, Int64], None],
    neighbours: int,
) -> Rows:
    """The largest elements of every row of the sum; `finish` turns sums into scores in place."""
    width, blocks = histories.width, blocks_of(histories)

    def best(table: pa.Table) -> pa.Table:
        items = rows_of_block(table["block"][0].as_py(), blocks, width)
        total = added(table, width).copy()
        finish(total, items)
        rows, columns, values = largest(total, neighbours, 0)
        return pa.Table.from_batches([of_bytes(_FOUND, (items[rows].astype(np.int32), columns, values))])

    found = sum_blocks(histories, of_chunk, blocks).groupBy("block").applyInArrow(best, _FOUND).toArrow().to_pylist()
    kinds = (("rows", np.int32), ("columns", np.int32), ("values", np.float32))
    rows, columns, values = (
        np.concatenate([np.zeros(0, kind), *(np.frombuffer(each[name], kind) for each in found)])
        for name, kind in kinds
    )
    order = np.lexsort((columns, rows))
    return best_of_rows([(rows[order], columns[order], values[order])], width)


def inner_products(chunk: Interactions) -> RowsOf:
    """Of every item's column with every other's."""
    taken = matrix_of(chunk)
    by_item = taken.T.tocsr()
    return lambda items: by_item[items] @ taken
