"""One rule weighs events in training and live."""

from __future__ import annotations

import pytest

from models.events import DEFAULT_EVENT_WEIGHTS, combine, event_weight


@pytest.mark.parametrize(
    ("stars", "weight"), [(5.0, 1.0), (3.5, 0.5), (2.0, 0.0), (0.5, -0.5), (-10.0, -1.0), (10.0, 1.0)]
)
def test_ratings_count_by_their_stars(stars: float, weight: float) -> None:
    assert event_weight("rating", stars, DEFAULT_EVENT_WEIGHTS) == pytest.approx(weight)


def test_the_weight_of_the_type_scales_ratings() -> None:
    assert event_weight("rating", 5.0, {"rating": 3.0}) == 3.0


def test_a_rating_without_stars_counts_as_its_type() -> None:
    assert event_weight("rating", None, DEFAULT_EVENT_WEIGHTS) == 1.0
    assert event_weight("rating", float("nan"), DEFAULT_EVENT_WEIGHTS) == 1.0


def test_other_types_ignore_the_value() -> None:
    assert event_weight("purchase", 99.0, DEFAULT_EVENT_WEIGHTS) == 1.0
    assert event_weight("dislike", 5.0, DEFAULT_EVENT_WEIGHTS) == -1.0


def test_an_unknown_type_counts_as_a_view() -> None:
    assert event_weight("hum", None, DEFAULT_EVENT_WEIGHTS) == DEFAULT_EVENT_WEIGHTS["view"]
    assert event_weight("hum", None, {"view": 0.1}) == 0.1
    assert event_weight("hum", None, {}) == DEFAULT_EVENT_WEIGHTS["view"]


@pytest.mark.parametrize(
    ("earlier", "later", "together"),
    [(1.0, 0.3, 1.0), (0.3, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 0.3, 0.3), (-1.0, -0.2, -1.0), (1.0, 0.0, 0.0)],
)
def test_a_change_of_mind_replaces_and_a_weaker_echo_does_not(earlier: float, later: float, together: float) -> None:
    assert combine(earlier, later) == together


def test_a_review_counts_by_what_it_says() -> None:
    assert event_weight("review", None, {"review": 2.0}, opinion=-0.5) == -1.0
    assert event_weight("review", None, {"review": 2.0}) == 2.0


def test_stars_stand_above_what_a_text_says_unless_it_has_a_share() -> None:
    assert event_weight("review", 5.0, DEFAULT_EVENT_WEIGHTS, opinion=-1.0) == 1.0
    assert event_weight("rating", 5.0, DEFAULT_EVENT_WEIGHTS, opinion=-1.0, share_beside_stars=0.5) == 0.0


def test_what_is_no_opinion_is_not_weighed_by_one() -> None:
    assert event_weight("purchase", None, DEFAULT_EVENT_WEIGHTS, opinion=-1.0) == 1.0
