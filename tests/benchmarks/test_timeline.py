"""What is read off a load: what came before a fault, what after, and when callers had recovered."""

from __future__ import annotations

import math

import pytest

from benchmarks.timeline import Sample, Timeline, quantile


def load(*worse: Sample, struck: float = 10.0, ended: float = 20.0) -> Timeline:
    """A call of 10 ms each 10 ms, and some others."""
    usual = [Sample(begin / 100, 0.01) for begin in range(2_500)]
    return Timeline([*usual, *worse], struck, ended)


def test_a_fault_that_nobody_saw_is_recovered_from_at_once() -> None:
    assert load().recovery() == 0.0


def test_recovery_is_when_the_last_call_that_failed_had_begun() -> None:
    seen = load(Sample(12.3, 0.001, "UNAVAILABLE"))
    assert seen.recovery() == 2.5
    assert seen.failed == 1


def test_recovery_is_when_few_enough_are_slow() -> None:
    slow = [Sample(10 + each / 100, 0.5) for each in range(300)]
    assert load(*slow).recovery() == pytest.approx(3.0, abs=0.25)


def test_what_goes_on_to_its_end_is_never_recovered_from() -> None:
    assert load(Sample(19.9, 0.001, "UNAVAILABLE")).recovery() == math.inf


def test_what_begins_before_the_strike_or_after_the_end_is_no_consequence() -> None:
    assert load(Sample(9.9, 0.01, "before"), Sample(20.5, 3.0)).recovery() == 0.0


def test_answers_are_counted_by_what_they_lack() -> None:
    seen = load(Sample(1, 0.1, "", ("quality",)), Sample(1, 0.1, "", ("quality", "ranking")))
    assert seen.went_without() == 2
    assert seen.went_without("quality") == 1


def test_quantiles_are_of_what_calls_took() -> None:
    samples = [Sample(0, took) for took in range(100)]
    assert quantile(samples, 0.5) == 50 and quantile(samples, 0.99) == 99
    assert math.isnan(quantile([], 0.5))
