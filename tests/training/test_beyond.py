"""Novelty, diversity, popularity lift, Gini and segments, on numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.data import Interactions
from training.beyond import BEYOND, Learnt, gini
from training.metrics import padded
from training.segments import COLD, LONGER, MIDDLING, POPULAR, RARE, figures, popularity_groups, segments

# Three users: items 0 and 1 by the same two, item 2 by all, item 3 by the third, item 4 by nobody.
TAKEN = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 2), (2, 3)]


@pytest.fixture
def learnt() -> Learnt:
    users, items = (np.array(column, np.int32) for column in zip(*TAKEN, strict=True))
    weights, times = np.ones(len(users), np.float32), np.arange(len(users), dtype=np.float64)
    return Learnt.of(Interactions(["a", "b", "c"], list("vwxyz"), users, items, weights, times))


def test_by_hand(learnt: Learnt) -> None:
    found = learnt.measure(padded([[0, 1], [2, 4]], 3), np.array([2.0, 2.0]), 2)
    assert found["novelty"] == pytest.approx(-sum(math.log2(share) for share in (3 / 4, 3 / 4, 1, 1 / 4)) / 4)
    assert found["diversity"] == pytest.approx((0 + 1) / 2), "the first pair has the same users, the second shares none"
    assert found["popularity_lift"] == pytest.approx(((2 + 2) / 2 + (3 + 0) / 2) / 2 / 2 - 1)
    assert found["gini"] == pytest.approx(1 / 5), "four of five items once each"


def test_a_pair_is_as_different_as_its_users_say(learnt: Learnt) -> None:
    found = learnt.measure(padded([[2, 0]], 2), np.array([1.0]), 2)
    assert found["diversity"] == pytest.approx(1 - 2 / math.sqrt(2 * 3))


def test_short_and_empty_lists_count_for_what_they_hold(learnt: Learnt) -> None:
    alone = learnt.measure(padded([[2], []], 4), np.array([3.0, 3.0]), 4)
    assert (alone["diversity"], alone["popularity_lift"], alone["novelty"]) == (0.0, 0.0, 0.0)
    assert learnt.measure(padded([[]], 4), np.array([3.0]), 4) == dict.fromkeys(BEYOND, 0.0)


def test_gini_is_zero_for_all_alike_and_near_one_for_a_few() -> None:
    assert gini(np.full(10, 3)) == pytest.approx(0)
    assert gini(np.array([0] * 99 + [50])) == pytest.approx(0.99)
    assert gini(np.zeros(4, np.int64)) == 0


def test_items_fall_into_thirds_of_the_events_and_cold_ones() -> None:
    assert popularity_groups(np.array([1.0, 10, 4, 6, 0, 9])).tolist() == [2, 0, 2, 1, 3, 1]


def test_segments_hold_the_users_and_what_they_wanted_of_it() -> None:
    takers = np.array([10.0, 10, 10, 0])
    relevant = [np.array([0, 3], np.int32), np.array([1], np.int32)]
    found = {one.name: one for one in segments(np.array([3, 500]), relevant, takers)}
    assert list(found) == ["up to 5 events", LONGER, POPULAR, MIDDLING, COLD]
    assert RARE not in found
    assert found["up to 5 events"].users.tolist() == [0]
    assert found[LONGER].users.tolist() == [1]
    assert [items.tolist() for items in found[COLD].relevant] == [[3]]
    ranked = padded([[0, 3], [2, 1]], 2)
    cold = figures(found[COLD], "m", ranked, 4, 2)
    assert (cold.users, cold.recall) == (1, 1.0)
    assert cold.ndcg == pytest.approx(1 / math.log2(3))
    assert figures(found[LONGER], "m", ranked, 4, 1).ndcg == 0.0
