"""The best by inner product are exact, whatever else is in the index."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.data import Float32
from models.vectors import Vectors, inner_products

# Few distinct numbers, so that equal scores are common.
rows = st.integers(1, 60).flatmap(lambda n: arrays(np.float32, (n, 3), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0])))


@given(rows, st.integers(1, 20), st.randoms(use_true_random=False))
def test_nothing_better_is_left_out(vectors: Float32, count: int, random: Random) -> None:
    query = np.array([1.0, -0.5, 0.25], np.float32)
    allowed = np.array([random.random() < 0.7 for _ in vectors])
    places, scores = Vectors(vectors).best(query, count, allowed)
    assert len(set(places.tolist())) == len(places) >= min(count, allowed.sum())
    assert allowed[places].all()
    np.testing.assert_array_equal(scores, inner_products(vectors[places], query))
    others = np.setdiff1d(np.flatnonzero(allowed), places)
    if len(others):
        kth = np.sort(scores)[::-1][count - 1]
        assert (inner_products(vectors[others], query) < kth).all(), "what ties with the last one is there too"


def test_hundreds_of_equal_rows_are_all_found() -> None:
    vectors = Vectors(np.ones((500, 4), np.float32))
    places, _ = vectors.best(np.ones(4, np.float32), 3, np.ones(500, np.bool_))
    assert sorted(places.tolist()) == list(range(500))


@pytest.mark.parametrize("dimension", [1, 7, 64, 128])
def test_a_score_does_not_depend_on_the_company_of_a_row(dimension: int) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(301, dimension)).astype(np.float32)
    query = rng.normal(size=dimension).astype(np.float32)
    whole = inner_products(matrix, query)
    for size in (1, 2, 3, 8, 17, 100):
        chosen = rng.choice(301, size, replace=False)
        np.testing.assert_array_equal(inner_products(np.ascontiguousarray(matrix[chosen]), query), whole[chosen])


def test_rows_come_back_as_they_were_given() -> None:
    vectors = Vectors(np.zeros((0, 2), np.float32))
    assert len(vectors) == 0 and vectors.rows(np.zeros(0, np.int64)).shape == (0, 2)
    vectors.append(np.array([[1, 2], [0, 0]], np.float32))
    vectors.append(np.zeros((0, 2), np.float32))
    vectors.append(np.array([[3, 4]], np.float32))
    np.testing.assert_array_equal(vectors.rows(np.array([2, 0])), [[3, 4], [1, 2]])
    assert vectors.known.tolist() == [True, False, True]
    assert len(vectors) == 3 and vectors.dimension == 2


def test_nothing_is_found_where_nothing_is_allowed() -> None:
    places, scores = Vectors(np.ones((3, 2), np.float32)).best(np.ones(2, np.float32), 2, np.zeros(3, np.bool_))
    assert len(places) == len(scores) == 0
