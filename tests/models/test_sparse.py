"""The best of every row of a sparse matrix: what a sort of each row would give."""

from __future__ import annotations

import numpy as np
import pytest

from models.sparse import Matrix, largest, matrix


def scores(rows: int = 30, columns: int = 20, seed: int = 0) -> Matrix:
    """Few values, so that many tie; some below zero, some rows empty."""
    rng = np.random.default_rng(seed)
    there = rng.random((rows, columns)) < rng.random((rows, 1))
    there[3] = False
    places = np.nonzero(there)
    values = rng.choice([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0], len(places[0])).astype(np.float32)
    return matrix(places[0], places[1], values, (rows, columns))


@pytest.mark.parametrize("count", [1, 4, 100])
def test_each_row_keeps_its_largest_above_zero_and_of_equal_ones_the_first(count: int) -> None:
    block = scores()
    rows, columns, values = largest(block, count, 7)
    for row in range(block.shape[0]):
        dense = block[[row]].toarray()[0]
        best = [column for column in np.argsort(-dense, kind="stable")[:count].tolist() if dense[column] > 0]
        mine = rows == row + 7
        assert columns[mine].tolist() == sorted(best)
        np.testing.assert_array_equal(values[mine], dense[sorted(best)])


def test_the_matrix_itself_stays() -> None:
    block, same = scores(), scores()
    largest(block, 2, 0)
    np.testing.assert_array_equal(block.toarray(), same.toarray())
