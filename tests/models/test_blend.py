"""The blend orders candidates by weighted z-scores, repeatably."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.blend import PROPOSERS, SHORT, Blend, Short, standardized
from models.data import Float32
from models.sources import SOURCES, SURFACES
from models.writer import Parts

NAN = float("nan")


def columns(**scores: list[float]) -> dict[str, Float32]:
    return {name: np.array(values, np.float32) for name, values in scores.items()}


def blend(**weights: float) -> Blend:
    return Blend({"recommend": weights})


def test_one_source_keeps_its_order() -> None:
    ranked = blend(ials=1.0).rank("recommend", ["a", "b", "c"], columns(ials=[0.1, 0.9, -0.5]), 0)
    assert ranked.order.tolist() == [1, 0, 2]
    np.testing.assert_allclose(ranked.scores, np.sort(standardized(np.array([0.1, 0.9, -0.5])))[::-1], rtol=1e-6)


def test_weights_decide_between_sources() -> None:
    scores = columns(ials=[1.0, 0.0], itemknn=[1.0, 2.0])
    assert blend(ials=2.0, itemknn=1.0).rank("recommend", ["a", "b"], scores, 1).order.tolist() == [0]
    assert blend(ials=1.0, itemknn=2.0).rank("recommend", ["a", "b"], scores, 1).order.tolist() == [1]


def test_the_scale_of_a_source_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    ials, knn = rng.normal(size=20).astype(np.float32), rng.random(20).astype(np.float32)
    ids = [str(number) for number in range(20)]
    weights = blend(ials=1.0, itemknn=1.0)
    first = weights.rank("recommend", ids, {"ials": ials, "itemknn": knn}, 0)
    second = weights.rank("recommend", ids, {"ials": ials * 4 + 8, "itemknn": knn * 1024}, 0)
    assert first.order.tolist() == second.order.tolist()


def test_contributions_add_up_to_the_score() -> None:
    scores = columns(ials=[0.4, 0.1, NAN, 0.3], itemknn=[0.0, 1.0, 3.0, 0.2], popularity=[1.0, 2.0, NAN, 3.0])
    weights = blend(ials=0.5, itemknn=0.3, popularity=0.2)
    ranked = weights.rank("recommend", ["a", "b", "c", "d"], scores, 0)
    assert set(ranked.contributions) == {"ials", "itemknn", "popularity"}
    np.testing.assert_allclose(sum(ranked.contributions.values()), ranked.scores, atol=1e-6)


def test_what_matches_a_text_counts_in_recommendations_as_in_a_search() -> None:
    weights = Blend({"recommend": {"ials": 0.5}, "search": {"words": 1.0, "content": 9.0}})
    scores = columns(ials=[1.0, 0.9], words=[0.0, 1.0])
    ranked = weights.rank("recommend", ["a", "b"], scores, 0)
    assert ranked.order.tolist() == [1, 0]
    assert set(ranked.contributions) == {"ials", "words"}
    assert weights.rank("recommend", ["a", "b"], columns(ials=[1.0, 0.9]), 0).order.tolist() == [0, 1]


SURE = {"recommend": {"itemknn": 1.0}, "similar": {"itemknn": 1.0}, "search": {"title": 9.0}}
UNSURE = columns(itemknn=[1.0, 2.0], popularity=[2.0, 1.0])
CAUTIOUS = Blend(SURE, Short(3, {"popularity": 1.0}))


@pytest.mark.parametrize(("entries", "best"), [(0, 1), (1, 0), (2, 0), (3, 1), (400, 1)])
def test_users_of_whom_little_is_known_are_weighed_apart(entries: int, best: int) -> None:
    assert CAUTIOUS.rank("recommend", ["a", "b"], UNSURE, 1, 0, entries).order.tolist() == [best]
    assert Blend(SURE).rank("recommend", ["a", "b"], UNSURE, 1, 0, entries).order.tolist() == [1]


def test_an_item_that_others_are_like_is_no_short_history() -> None:
    assert CAUTIOUS.rank("similar", ["a", "b"], UNSURE, 1, 0, 1).order.tolist() == [1]


def test_a_text_counts_as_much_where_little_else_is_known() -> None:
    scores = columns(popularity=[2.0, 1.0], title=[0.0, 1.0])
    assert CAUTIOUS.rank("recommend", ["a", "b"], scores, 1, 0, 1).order.tolist() == [1]


def test_a_bundle_without_weights_of_their_own_weighs_short_histories_as_all() -> None:
    told = {"below": 3, "weights": {"popularity": 1.0}}
    for document, best in ((SURE, 1), ({**SURE, SHORT: told}, 0)):
        found = Blend.of(Parts({}, documents={"blend": document}))
        assert found.rank("recommend", ["a", "b"], UNSURE, 1, 0, 2).order.tolist() == [best]
    with pytest.raises(ValueError, match="no surface 'short'; this bundle has weights for recommend, search, similar"):
        found.rank(SHORT, ["a"], columns(popularity=[1.0]), 1)


def test_equal_scores_are_ordered_by_id() -> None:
    ranked = blend(ials=1.0).rank("recommend", ["b", "10", "9", "a"], columns(ials=[1.0, 1.0, 1.0, 2.0]), 0)
    assert ranked.order.tolist() == [3, 1, 2, 0]


def test_count_cuts_the_list() -> None:
    ids, scores = ["a", "b", "c"], columns(ials=[1.0, 2.0, 3.0])
    assert blend(ials=1.0).rank("recommend", ids, scores, 2).order.tolist() == [2, 1]
    assert len(blend(ials=1.0).rank("recommend", ids, scores, 10**9).order) == 3
    assert len(blend(ials=1.0).rank("recommend", [], {}, 5).order) == 0


def test_only_the_best_of_each_source_stay_candidates() -> None:
    scores = columns(ials=[4.0, 3.0, 2.0, 1.0], itemknn=[0.0, 0.0, 0.0, 5.0])
    ranked = blend(ials=1.0, itemknn=1.0).rank("recommend", ["a", "b", "c", "d"], scores, 0, candidates_per_source=2)
    assert sorted(ranked.order.tolist()) == [0, 1, 3]


def test_the_cut_among_equals_goes_by_id() -> None:
    ranked = blend(ials=1.0).rank("recommend", ["c", "a", "b"], columns(ials=[1.0, 1.0, 1.0]), 0, 2)
    assert ranked.order.tolist() == [1, 2]


def test_a_source_that_does_not_propose_only_weighs() -> None:
    scores = columns(ials=[2.0, 1.0, NAN], content=[0.1, 0.2, 0.9])
    assert "content" not in PROPOSERS["recommend"]
    ranked = blend(ials=1.0, content=1.0).rank("recommend", ["a", "b", "c"], scores, 0)
    assert sorted(ranked.order.tolist()) == [0, 1]


def test_what_nobody_could_take_yet_is_judged_by_what_is_known_of_it() -> None:
    # "new" stands highest for ials and has no neighbours, because it is new: that must not push it down.
    scores = columns(ials=[0.9, 0.5, 0.1], itemknn=[NAN, 0.3, 0.2], new=[0.9, NAN, NAN])
    ranked = blend(ials=1.0, itemknn=3.0).rank("recommend", ["new", "b", "c"], scores, 0)
    assert ranked.order.tolist()[0] == 0
    alone = standardized(np.array([0.9, 0.5, 0.1]))[0]
    assert ranked.scores[0] == pytest.approx(4.0 * alone)


def test_popular_items_come_in_their_order_where_nothing_else_speaks() -> None:
    weights = blend(ials=1.0, itemknn=1.0, popularity=0.01)
    ranked = weights.rank("recommend", ["a", "b", "c", "d"], columns(popularity=[1.0, 3.0, 2.0, 0.0]), 0)
    assert ranked.order.tolist() == [1, 2, 0], "nobody liked d"


def test_an_unknown_surface_is_refused() -> None:
    with pytest.raises(ValueError, match="no surface 'attic'; this bundle has weights for recommend"):
        blend(ials=1.0).rank("attic", ["a"], columns(ials=[1.0]), 1)


def test_every_surface_has_proposers() -> None:
    assert set(PROPOSERS) == set(SURFACES)
    assert all(set(names) <= set(SOURCES) for names in PROPOSERS.values())


scores_of = st.lists(st.one_of(st.just(NAN), st.sampled_from([0.0, 0.5, 1.0]), st.floats(-2, 2, width=32)), min_size=8)
tables = st.fixed_dictionaries(
    {name: scores_of.map(lambda values: values[:8]) for name in ("ials", "itemknn", "popularity", "new")}
)
WEIGHTS: Mapping[str, float] = {"ials": 0.5, "itemknn": 0.3, "popularity": 0.02}


@given(tables, st.permutations(range(8)), st.integers(0, 9), st.integers(0, 4))
def test_the_order_of_the_candidates_does_not_matter(
    table: dict[str, list[float]], shuffled: list[int], count: int, per_source: int
) -> None:
    ids = [f"item {number}" for number in range(8)]
    straight = Blend({"recommend": WEIGHTS}).rank("recommend", ids, columns(**table), count, per_source)
    other_ids = [ids[place] for place in shuffled]
    other = {name: column[shuffled] for name, column in columns(**table).items()}
    again = Blend({"recommend": WEIGHTS}).rank("recommend", other_ids, other, count, per_source)
    assert [ids[place] for place in straight.order] == [other_ids[place] for place in again.order]
    np.testing.assert_array_equal(straight.scores, again.scores)
    assert (np.diff(straight.scores) <= 0).all() and np.isfinite(straight.scores).all()
    assert len(straight.order) <= (count or 8)
