"""iALS on Spark: the half steps of `models.ials` by its solver, users where their histories are, items in blocks.

The factors of items are on the driver and go to every worker; those of users never leave the workers. A worker that
solves a block of items holds the factors of all users who took one of them: 256 bytes each for 64 dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.data import Float32, Interactions
from models.ials import Factors, IalsConfig, Solver
from models.sparse import Int64, matrix, matrix_of
from training.spark.histories import Histories, of_bytes
from training.spark.sums import rows_of_block

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ROUTED: Final = "block int, starts binary, users binary, weights binary, factors binary"
_SOLVED: Final = "items binary, factors binary"
GRAM: Final = -1  # the block of a row that holds the gram matrix of some users


class SparkIals:
    """One fit: the factors of items after each step, and those of users as Spark keeps them."""

    def __init__(self, histories: Histories, config: IalsConfig) -> None:
        self._histories = histories
        self._config = config
        partitions = int(str(histories.rows.sparkSession.conf.get("spark.sql.shuffle.partitions")))
        self._blocks = max(1, min(histories.width, partitions))
        self._routed: DataFrame | None = None
        self._gram = np.zeros((config.dimension, config.dimension), np.float32)

    def fit(self, rng: np.random.Generator, done: Callable[[int], None]) -> Float32:
        """The factors of items; `done` is told of every step."""
        config, width = self._config, self._histories.width
        items = rng.normal(0, config.deviation / np.sqrt(config.dimension), (width, config.dimension))
        found = items.astype(np.float32)
        for _ in range(config.steps):
            self._solve_users(found)
            found = self._solve_items(None)
            done(1)
        return found

    def finish(self, learned: NDArray[np.bool_], expected: Float32) -> Factors:
        """As `ials.finish`: items once more, drawn to `expected`; those that are not `learned` stand there."""
        items = self._solve_items(expected)
        self._solve_users(items)
        mean = self._mean_user()
        gram = Solver.on(items, self._config).gram
        self._forget()
        return Factors(np.where(learned[:, None], items, expected), gram, mean)

    def _solve_users(self, items: Float32) -> None:
        self._forget()
        solver, blocks, width = Solver.on(items, self._config), self._blocks, self._histories.width
        sent = self._histories.rows.sparkSession.sparkContext.broadcast((items, solver.gram))
        config = self._config

        def route(chunk: Interactions) -> Iterator[pa.RecordBatch]:
            factors, gram = sent.value
            yield from _routed(chunk, Solver(factors, gram, config), blocks, width)

        self._routed = self._histories.chunked(route, _ROUTED).cache()
        grams = self._routed.where(f"block = {GRAM}").select("factors").toLocalIterator()
        found = sum((np.frombuffer(row["factors"], np.float64) for row in grams), np.zeros(config.dimension**2))
        gram = np.asarray(found, np.float64).reshape(config.dimension, config.dimension)
        self._gram = (config.unobserved * gram).astype(np.float32)

    def _mean_user(self) -> Float32:
        """Of all users with a history."""
        assert self._routed is not None
        rows = self._routed.where(f"block = {GRAM}").select("weights").toLocalIterator()
        total = sum((np.frombuffer(row["weights"], np.float64) for row in rows), np.zeros(self._config.dimension + 1))
        total = np.asarray(total, np.float64)
        return np.asarray(total[1:] / max(total[0], 1.0), np.float32)

    def _solve_items(self, expected: Float32 | None) -> Float32:
        assert self._routed is not None
        config, blocks, width = self._config, self._blocks, self._histories.width
        empty = np.zeros((0, config.dimension), np.float32)
        solver = Solver(empty, self._gram, config, self._histories.users)
        session = self._histories.rows.sparkSession
        sent = session.sparkContext.broadcast(expected)

        def solve(table: pa.Table) -> pa.Table:
            items = rows_of_block(table["block"][0].as_py(), blocks, width)
            found = _solved(table, solver, len(items), sent.value, items)
            return pa.Table.from_batches([of_bytes(_SOLVED, (items, found))])

        grouped = self._routed.where(f"block <> {GRAM}").groupBy("block")
        items = np.zeros((width, config.dimension), np.float32)
        for row in grouped.applyInArrow(solve, _SOLVED).toLocalIterator():
            places = np.frombuffer(row["items"], np.int64)
            items[places] = np.frombuffer(row["factors"], np.float32).reshape(len(places), -1)
        return items

    def _forget(self) -> None:
        if self._routed is not None:
            self._routed.unpersist()
            self._routed = None


def _routed(chunk: Interactions, solver: Solver, blocks: int, width: int) -> Iterator[pa.RecordBatch]:
    """The factors of a chunk's users, to each block of items those of the users who took one of them."""
    taken = matrix_of(chunk)
    users = solver.rows(taken, _silent)
    known = np.diff(taken.indptr) > 0
    wide = users.astype(np.float64)
    summed = np.concatenate(([known.sum()], wide[known].sum(axis=0)))
    yield of_bytes(_ROUTED, (b"", b"", summed, wide.T @ wide), block=GRAM)
    by_item = taken.T.tocsr()
    for block in range(blocks):
        part = by_item[rows_of_block(block, blocks, width)]
        if part.nnz:
            needed, numbers = np.unique(part.indices, return_inverse=True)
            starts = part.indptr.astype(np.int64)
            yield of_bytes(_ROUTED, (starts, numbers.astype(np.int32), part.data, users[needed]), block=block)


def _solved(table: pa.Table, solver: Solver, items: int, expected: Float32 | None, places: Int64) -> Float32:
    """The factors of a block's items from what all chunks sent."""
    rows, users, weights, factors, before = [], [], [], [], 0
    for row in table.to_pylist():
        starts = np.frombuffer(row["starts"], np.int64)
        found = np.frombuffer(row["factors"], np.float32).reshape(-1, len(solver.gram))
        rows.append(np.repeat(np.arange(items), np.diff(starts)))
        users.append(np.frombuffer(row["users"], np.int32) + np.int32(before))
        weights.append(np.frombuffer(row["weights"], np.float32))
        factors.append(found)
        before += len(found)
    taken = matrix(np.concatenate(rows), np.concatenate(users), np.concatenate(weights), (items, before))
    whole = replace(solver, factors=np.concatenate(factors))
    if expected is None:
        return whole.rows(taken, _silent)
    return whole.rows(taken, _silent, expected[places], solver.config.text_pull)


def _silent(rows: int) -> None:
    pass
