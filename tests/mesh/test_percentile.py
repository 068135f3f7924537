"""Percentile."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.percentile import Percentile


def test_too_few_say_nothing() -> None:
    percentile = Percentile()
    for _ in range(99):
        percentile.add(0.0, 0.01)
        assert percentile.value(0.0) is None
    percentile.add(0.0, 0.01)
    assert percentile.value(0.0) == pytest.approx(0.01, rel=0.1)


def test_what_is_older_than_the_window_does_not_count() -> None:
    percentile = Percentile()
    for _ in range(100):
        percentile.add(0.0, 1.0)
    for _ in range(100):
        percentile.add(29.0, 0.01)
    assert percentile.value(29.0) == pytest.approx(1.0, rel=0.1)
    assert percentile.value(31.0) == pytest.approx(0.01, rel=0.1)
    assert percentile.value(70.0) is None


@given(st.integers(), st.integers(100, 300), st.floats(0.0, 3.0))
def test_at_most_a_twentieth_is_above_and_it_is_not_much_too_high(seed: int, count: int, spread: float) -> None:
    percentile, rng = Percentile(), random.Random(seed)
    durations = [min(90.0, max(1e-4, rng.lognormvariate(-4.0, spread))) for _ in range(count)]
    for each in durations:
        percentile.add(0.0, each)
    value = percentile.value(0.0)
    assert value is not None
    assert sum(each > value * 1.000001 for each in durations) <= 0.05 * len(durations)
    assert sum(each >= value / 1.0906 for each in durations) >= 0.05 * len(durations) - 1e-9


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e4])
def test_what_no_bucket_was_made_for_is_counted_in_the_last_one(seconds: float) -> None:
    percentile = Percentile(enough=1)
    percentile.add(0.0, seconds)
    assert percentile.value(0.0) is not None
