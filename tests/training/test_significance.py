"""Intervals and tests: against worked examples, SciPy as second implementation, and known truths by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from training.significance import differences, holm, interval, intervals, randomised


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_an_interval_agrees_with_scipy() -> None:
    values = rng(1).exponential(size=300)
    found = interval(values, rng())
    theirs = stats.bootstrap((values,), np.mean, method="percentile", random_state=rng(2)).confidence_interval
    assert found.mean == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.06 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.06 * width)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    drawn = rng(3).normal(size=(100, 200))
    found = intervals(drawn, rng())
    assert 180 <= sum(one.low <= 0 <= one.high for one in found) <= 199


def test_equal_figures_have_an_interval_of_no_width() -> None:
    one = interval(np.full(20, 0.25), rng())
    assert (one.mean, one.low, one.high) == (0.25, 0.25, 0.25)
    assert interval(np.zeros(0), rng()).high == 0.0


def test_a_difference_is_tested_as_all_flips_would() -> None:
    gain = np.array([0.3, -0.1, 0.2, 0.25, -0.05, 0.4, 0.1, 0.15, 0.0])
    flips = [abs(np.dot(signs, gain)) for signs in itertools.product((-1, 1), repeat=len(gain))]
    exact = np.mean(np.array(flips) >= gain.sum() - 1e-12)
    assert randomised(gain, rng()) == pytest.approx(exact, abs=0.01)


def test_no_difference_is_no_evidence_and_a_clear_one_is() -> None:
    assert randomised(np.zeros(50), rng()) == 1.0
    assert randomised(np.full(50, 0.1), rng()) == pytest.approx(1 / 10_001)


def test_what_chance_makes_is_seldom_called_sure() -> None:
    draw = rng(4)
    ps = [randomised(draw.normal(size=40), rng(seed)) for seed in range(100)]
    assert sum(p < 0.05 for p in ps) <= 12
    assert stats.kstest(ps, "uniform").pvalue > 0.001


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_differences_pair_the_same_users() -> None:
    """Two models may differ by less than users do among themselves, and be told apart."""
    users = rng(5).random(200)
    by_model = {"plain": users, "better": users + 0.01, "other": rng(6).random(200)}
    found = {one.above: one for one in differences(by_model, "better", ["plain", "other"], rng())}
    assert found["plain"].mean == pytest.approx(0.01)
    assert found["plain"].p < 0.001
    assert found["plain"].low == pytest.approx(0.01)
    assert found["other"].low < found["other"].mean < found["other"].high
