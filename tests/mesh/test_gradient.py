"""Gradient."""

from __future__ import annotations

import math

import pytest

from recmesh.mesh.gradient import LATE_SHARE, LONGEST_GIVEN, MOST_METHODS, SOON_SHARE, Gradient

GIVEN = 0.05  # seconds; so little that calls of 10 ms are not answered soon enough whatever happens
A, B = "/recmesh.v1.Retrieval/Search", "/recmesh.v1.Models/List"


class Feed:
    """Tells a gradient of calls that ended, ten a window."""

    def __init__(self, gradient: Gradient) -> None:
        self.gradient = gradient
        self.now = 0.0

    def window(
        self, latency: float, used: float = 1.0, method: str = A, full: bool = False, given: float = GIVEN
    ) -> None:
        if full:
            self.gradient.full()
        for _ in range(10):
            self.gradient.ended(method, latency, given, round(used * self.gradient.limit), self.now)
            self.now += 0.03

    def windows(
        self, count: int, latency: float, used: float = 1.0, method: str = A, full: bool = False, given: float = GIVEN
    ) -> None:
        for _ in range(count):
            self.window(latency, used, method, full, given)


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
    feed.windows(40, 0.024)
    shrunk = feed.gradient.limit
    assert 8 <= shrunk < 20  # in the end four wait, where one of three does
    feed.windows(20, 0.010)
    assert feed.gradient.limit > shrunk + 8


def test_it_shrinks_at_once_when_they_come_too_late_twice_in_a_row() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.010)
    before = feed.gradient.limit
    feed.window(2 * LATE_SHARE * GIVEN)
    once = feed.gradient.limit
    assert once == pytest.approx(0.9 * before)  # it may have been a pause
    feed.window(2 * LATE_SHARE * GIVEN)
    assert feed.gradient.limit == pytest.approx(once / 2)
    feed.window(10 * LATE_SHARE * GIVEN)
    assert feed.gradient.limit == pytest.approx(once / 4)  # and never to less than half in one step
    feed.window(0.010)
    feed.window(2 * LATE_SHARE * GIVEN)
    assert feed.gradient.limit > 0.2 * once


def test_calls_that_take_half_of_their_time_by_nature_are_not_too_many() -> None:
    """They wait for something else, thirty at once as long as two."""
    feed = Feed(Gradient())
    feed.windows(10, 0.3, used=0.1, given=0.5)
    feed.windows(40, 0.3, given=0.5)
    assert feed.gradient.limit > 40
    feed.windows(5, 0.48, given=0.5)
    assert feed.gradient.limit < 40


def test_calls_that_fill_a_small_limit_do_not_tell_how_long_they_take_alone() -> None:
    feed = Feed(Gradient())
    feed.windows(20, 0.4, given=0.5)
    assert feed.gradient.limit == 4
    feed.windows(200, 0.4, given=0.5)
    assert feed.gradient.limit == 4


def test_a_call_that_had_no_time_left_breaks_nothing() -> None:
    feed = Feed(Gradient())
    feed.windows(5, 0.0, given=-1.0)
    assert feed.gradient.limit > 20


def test_a_little_longer_is_tolerated() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.010)
    before = feed.gradient.limit
    feed.windows(10, 0.014)
    assert feed.gradient.limit > before


def test_calls_that_are_answered_soon_are_soon_enough_however_quick_they_were() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.001, given=0.5)
    before = feed.gradient.limit
    feed.windows(10, 0.9 * SOON_SHARE * 0.5, given=0.5)
    assert feed.gradient.limit > before
    feed.windows(20, 2.0 * SOON_SHARE * 0.5, given=0.5)
    assert feed.gradient.limit < before


def test_who_waits_for_very_long_is_answered_no_later_than_others() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.001, given=math.inf)
    before = feed.gradient.limit
    feed.windows(20, 0.4, given=math.inf)
    assert feed.gradient.limit < before


def test_where_one_call_is_worked_on_at_a_time_no_four_wait() -> None:
    """One worker that takes 0.1 s a call, whose callers give it 1 s."""
    feed = Feed(Gradient(least=1))
    feed.windows(10, 0.1, used=0.3, given=1.0)
    for _ in range(100):
        feed.window(0.1 * feed.gradient.limit, full=True, given=1.0)
    assert 2 < feed.gradient.limit < 5


def test_a_limit_that_is_not_half_used_stays_as_it_is() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.010, used=0.4)
    feed.windows(10, 0.100, used=0.4)
    assert feed.gradient.limit == 20


def test_few_calls_make_no_window() -> None:
    gradient = Gradient()
    for second in range(9):
        gradient.ended(A, 0.010, GIVEN, 20, float(second))
    assert gradient.limit == 20
    gradient.ended(A, 0.010, GIVEN, 20, 9.0)
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
    feed.windows(40, 0.010, used=0.3, given=LONGEST_GIVEN)
    for _ in range(4 * 1_800):
        feed.window(0.010 * feed.gradient.limit, full=True, given=LONGEST_GIVEN)
    assert feed.gradient.limit < 60


def test_an_overload_right_after_the_start_is_not_taken_for_usual() -> None:
    feed = Feed(Gradient())
    feed.windows(2, 0.010, used=0.3, given=LONGEST_GIVEN)
    feed.windows(100, 0.3, full=True, given=LONGEST_GIVEN)
    assert feed.gradient.limit < 20


def test_latencies_that_are_always_as_bad_shrink_it_all_the_same() -> None:
    feed = Feed(Gradient())
    feed.windows(200, GIVEN)
    assert feed.gradient.limit == 4


def test_what_was_learnt_in_an_overload_is_soon_forgotten() -> None:
    feed = Feed(Gradient())
    feed.windows(10, 0.200, given=1.0)
    feed.windows(40, 0.010, given=0.1)
    before = feed.gradient.limit
    feed.windows(20, 0.045, given=0.1)
    assert feed.gradient.limit < before


def test_a_call_that_was_given_up_tells_only_that_it_was_slow() -> None:
    feed = Feed(Gradient())
    gradient = feed.gradient
    feed.windows(10, 0.010)
    grown = gradient.limit
    for _ in range(200):
        gradient.given_up(A, 0.001, GIVEN, 200, feed.now)
        feed.now += 0.03
    assert gradient.limit == grown
    for _ in range(40):
        gradient.given_up(A, GIVEN, GIVEN, 200, feed.now)
        feed.now += 0.03
    assert gradient.limit < grown


@pytest.mark.parametrize(("share", "heard"), [(0.5 * LATE_SHARE, False), (1.0, True)])
def test_a_start_in_which_no_call_is_ever_answered_tells_that_there_are_too_many(share: float, heard: bool) -> None:
    feed = Feed(Gradient())
    for _ in range(100):
        feed.gradient.given_up(A, share * GIVEN, GIVEN, 20, feed.now)
        feed.now += 0.03
    assert (feed.gradient.limit == 4) is heard
    assert heard or feed.gradient.limit == 20


@pytest.mark.parametrize(("latency", "expected"), [(0.010, 30), (1.0, 12)])
def test_it_stays_within_its_bounds(latency: float, expected: float) -> None:
    feed = Feed(Gradient(initial=20, least=12, most=30))
    feed.windows(50, latency)
    assert feed.gradient.limit == expected


def test_methods_without_end_take_no_memory_without_end() -> None:
    gradient = Gradient()
    for number in range(10 * MOST_METHODS):
        gradient.ended(f"/a/{number}", 0.010, GIVEN, 1, 0.0)
    assert len(gradient._methods) == MOST_METHODS
