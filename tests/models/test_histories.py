"""Histories come newest first, one entry an item, and live ones go on top of the bundle's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import History
from models.events import combine
from models.histories import EMPTY, HISTORY_LIMIT, Histories, add_histories, decayed_weights, merge
from models.writer import Parts
from tests.models.worlds import fitted, history, interactions


def rows(found: History) -> list[tuple[str, float, float]]:
    return list(zip(found.item_ids, found.weights.tolist(), found.timestamps.tolist(), strict=True))


def made(entries: list[tuple[str, float, float]]) -> History:
    ids, weights, times = zip(*entries, strict=True) if entries else ((), (), ())
    return History(list(ids), np.array(weights, np.float32), np.array(times, np.float64))


def test_a_bundle_gives_back_what_users_did_newest_first() -> None:
    histories = Histories(fitted().parts)
    found = histories.of("u0")
    assert found is not None
    assert list(found.item_ids) == ["10", "8", "6", "4", "2"]
    assert (np.diff(found.timestamps) < 0).all()
    assert histories.of("nobody") is None


def test_weights_and_times_follow_their_items() -> None:
    parts = Parts({})
    add_histories(parts, interactions([(1, 0), (0, 2), (1, 1)], 3, 3, [0.5, -1.0, 0.25]))
    assert parts.arrays["history_starts"].tolist() == [0, 1, 3, 3]
    assert parts.arrays["history_items"].tolist() == [2, 1, 0]
    assert parts.arrays["history_weights"].tolist() == [-1.0, 0.25, 0.5]


@pytest.mark.parametrize("nothing", [None, EMPTY])
def test_merging_with_nothing_only_cuts(nothing: History | None) -> None:
    some = history("a", "b", "c")
    assert rows(merge(some, nothing, 2)) == rows(some)[:2]
    assert rows(merge(nothing, some, 2)) == rows(some)[:2]
    assert len(merge(nothing, nothing, 2)) == 0


def test_live_entries_stand_before_older_ones_of_the_bundle() -> None:
    merged = merge(made([("a", 1.0, 10.0), ("b", 1.0, 5.0)]), made([("c", 0.3, 20.0), ("b", 0.3, 15.0)]), 10)
    assert rows(merged) == [("c", pytest.approx(0.3), 20.0), ("b", 1.0, 15.0), ("a", 1.0, 10.0)]


def test_a_later_dislike_replaces_a_like() -> None:
    assert rows(merge(made([("a", 1.0, 1.0)]), made([("a", -1.0, 2.0)]), 10)) == [("a", -1.0, 2.0)]


entries = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from([-1.0, 0.5, 1.0]), st.integers(0, 9).map(float)),
    max_size=6,
    unique_by=lambda entry: entry[0],
).map(lambda found: made(sorted(found, key=lambda entry: -entry[2])))


@given(entries, entries, st.integers(1, 8))
def test_merging_keeps_every_item_once_in_order_of_time(bundle: History, live: History, limit: int) -> None:
    merged = merge(bundle, live, limit)
    ids = set(bundle.item_ids) | set(live.item_ids)
    assert len(merged) == min(limit, len(ids)) == len(set(merged.item_ids))
    assert (np.diff(merged.timestamps) <= 0).all()
    before, after = ({row[0]: row for row in rows(part)} for part in (bundle, live))
    for item, weight, time in rows(merged):
        found = [part[item] for part in (before, after) if item in part]
        assert time == max(row[2] for row in found)
        if len(found) == 2:
            first, second = sorted(found, key=lambda row: row[2])
            assert weight == combine(first[1], second[1])
        else:
            assert weight == found[0][1]
    left_out = [max(part[item][2] for part in (before, after) if item in part) for item in ids - set(merged.item_ids)]
    assert not left_out or max(left_out) <= merged.timestamps.min()


def test_weights_halve_with_the_places_they_lie_back() -> None:
    np.testing.assert_allclose(
        decayed_weights(history("a", "b", "c", weights=[1, -1, 1]), 1.0), [1, -0.5, 0.25], rtol=1e-6
    )


def test_entries_that_count_a_thousandth_are_not_looked_at() -> None:
    long = history(*(str(number) for number in range(1_000)))
    assert len(decayed_weights(long, 2.0)) == 20
    assert len(decayed_weights(long, 0.0)) == HISTORY_LIMIT
    assert len(decayed_weights(long, 1e6)) == HISTORY_LIMIT
