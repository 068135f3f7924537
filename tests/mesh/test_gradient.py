"""Gradient."""

from __future__ import annotations

import pytest

from recmesh.mesh.gradient import CEILING, MOST_METHODS, Gradient

A, B = "/recmesh.v1.Retrieval/Search", "/recmesh.v1.Models/List"


class Feed:
    """Tells a gradient of calls that ended, ten a window."""

    def __init__(self, gradient: Gradient) -> None:
        self.gradient = gradient
        self.now = 0.0

    def window(self, latency: float, used: float = 1.0, method: str = A, full: bool = False) -> None:
        if full:
            self.gradient.full()
        for _ in range(10):
            self.gradient.ended(method, latency, round(used * self.gradient.limit), self.now)
            self.now += 0.03

    def windows(self, count: int, latency: float, used: float = 1.0, method: str = A) -> None:
        for _ in range(count):
            self.window(latency, used, method)


def test_it_grows_while_calls_take_as_long_as_usual() -> None:
    feed = Feed(Gradient())
    assert feed.gradient.limit == 20
    feed.windows(40, 0.010)
    assert 45 < feed.gradient.limit < 60
    feed.windows(1_000, 0.010)
    assert feed.gradient.limit == 256


def test_it_shrinks_when_they_take_longer_and_comes_back() -> None:
    feed = Feed(Gradient())
    feed.windows(40, 0.010)
    feed.windows(20, 0.050)
    shrunk = feed.gradient.limit
    assert 8 <= shrunk < 16  # no step takes more than half, and four may always wait
    feed.windows(20, 0.010)
    assert feed.gradient.limit > shrunk + 8


def test_a_little_longer_is_tolerated() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.010)
    before = feed.gradient.limit
    feed.windows(10, 0.014)
    assert feed.gradient.limit > before


def test_a_limit_that_is_not_half_used_stays_as_it_is() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.010, used=0.4)
    feed.windows(10, 0.100, used=0.4)
    assert feed.gradient.limit == 20


def test_few_calls_make_no_window() -> None:
    gradient = Gradient()
    for second in range(9):
        gradient.ended(A, 0.010, 20, float(second))
    assert gradient.limit == 20
    gradient.ended(A, 0.010, 20, 9.0)
    assert gradient.limit > 20


def test_each_method_is_measured_against_itself() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.020, method=A)
    feed.windows(200, 0.0001, used=0.1, method=B)  # a quiet hour in which only cheap ones come
    before = feed.gradient.limit
    feed.windows(10, 0.020, method=A)
    assert feed.gradient.limit > before


def test_a_long_overload_does_not_become_the_measure_of_itself() -> None:
    """One processor: the more calls there are at once the longer each takes."""
    feed = Feed(Gradient())
    feed.windows(40, 0.010, used=0.3)
    for _ in range(4 * 1_800):
        feed.window(0.010 * feed.gradient.limit, full=True)
    assert feed.gradient.limit < 60


def test_latencies_that_are_always_as_bad_shrink_it_all_the_same() -> None:
    feed = Feed(Gradient())
    feed.windows(200, 10 * CEILING)
    assert feed.gradient.limit < 9


def test_what_was_learnt_in_an_overload_is_soon_forgotten() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.200)
    feed.windows(40, 0.010)
    before = feed.gradient.limit
    feed.windows(20, 0.060)
    assert feed.gradient.limit < before


def test_a_call_that_was_given_up_tells_only_that_it_was_slow() -> None:
    feed = Feed(Gradient())
    gradient = feed.gradient
    gradient.given_up(A, 1.0, 20, 0.0)  # nothing is known of such calls yet
    feed.windows(10, 0.010)
    grown = gradient.limit
    for _ in range(200):
        gradient.given_up(A, 0.001, 200, feed.now)
        feed.now += 0.03
    assert gradient.limit == grown
    for _ in range(40):
        gradient.given_up(A, 1.0, 200, feed.now)
        feed.now += 0.03
    assert gradient.limit < grown


@pytest.mark.parametrize(("latency", "expected"), [(0.010, 30), (1.0, 12)])
def test_it_stays_within_its_bounds(latency: float, expected: float) -> None:
    feed = Feed(Gradient(initial=20, least=12, most=30))
    feed.windows(50, latency)
    assert feed.gradient.limit == expected


def test_methods_without_end_take_no_memory_without_end() -> None:
    gradient = Gradient()
    for number in range(10 * MOST_METHODS):
        gradient.ended(f"/a/{number}", 0.010, 1, 0.0)
    assert len(gradient._methods) == MOST_METHODS
