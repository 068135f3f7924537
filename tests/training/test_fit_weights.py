"""The blend's weights are those that order what is right best."""

from __future__ import annotations

import numpy as np
import pytest

from models.blend import SHORT, Blend
from models.data import Float64
from models.shard import Query
from models.sources import SURFACES
from tests.models.worlds import fitted
from training.metrics import measure, padded
from training.questions import Question
from training.weights import WEIGHED, BlendConfig, Table, added_up, climb, fit_surface


def nothing(_: int) -> None: ...


def questions() -> list[Question]:
    recommender = fitted().recommender
    return [
        Question(recommender.query_of_item("2", 1), frozenset({"4", "0"})),
        Question(recommender.query_of_item("3", 1), frozenset({"5", "not there"})),
    ]


def table(scores: list[list[list[float]]], relevant: list[list[bool]]) -> Table:
    """Questions of up to four candidates, filled up to fifty places."""
    wide = np.full((len(scores), 50, 2), -1e3, np.float32)
    right = np.zeros((len(scores), 50), np.bool_)
    for row, (columns, hits) in enumerate(zip(scores, relevant, strict=True)):
        wide[row, : len(columns)] = columns
        right[row, : len(hits)] = hits
    return Table(("ials", "popularity"), wide, right, right.sum(axis=1).astype(np.int64))


def test_ndcg_is_that_of_the_evaluation() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 30, 1)).astype(np.float32)
    relevant = rng.random((20, 30)) < 0.2
    relevant[:, 0] = True
    whole = np.concatenate([scores, np.full((20, 30, 1), 0, np.float32)], axis=2)
    padding = np.full((20, 20, 2), -1e3, np.float32)
    found = Table(
        ("ials", "popularity"),
        np.concatenate([whole, padding], axis=1),
        np.pad(relevant, ((0, 0), (0, 20))),
        relevant.sum(axis=1).astype(np.int64),
    )
    lists = [np.argsort(-row[:, 0]).astype(np.int32) for row in scores]
    expected = measure(padded(lists, 30), [np.flatnonzero(row).astype(np.int32) for row in relevant], 30, 10)["ndcg"]
    assert found.ndcg(np.array([1.0, 0.0])) == pytest.approx(expected, abs=1e-6)


def test_candidates_are_scored_as_the_blend_scores_them() -> None:
    recommender = fitted().recommender
    names = WEIGHED["similar"]
    asked = questions()
    found = Table.of("similar", recommender, asked, nothing)
    weights = dict(zip(names, (0.5, 0.2, 0.1, 0.3, 0.2, 0.3, 0.4), strict=True))
    for row, question in enumerate(asked):
        candidates = recommender.shard.search(question.query)
        blend = Blend({"similar": weights})
        ranked = blend.rank("similar", candidates.item_ids, candidates.scores, 0, question.query.count)
        totals = found.scores[row] @ np.array(list(weights.values()), np.float32)
        order = np.argsort(-totals, kind="stable")[: len(ranked.order)]
        np.testing.assert_allclose(totals[order], ranked.scores, atol=1e-4)
        right = [candidates.item_ids[place] in question.relevant for place in ranked.order.tolist()]
        assert sorted(found.relevant[row, order].tolist()) == sorted(right)


def test_a_source_that_misleads_gets_little_weight() -> None:
    misleading = table([[[1.0, -2.0], [0.0, 2.0]]] * 3, [[True, False]] * 3)
    weights = fit_surface(misleading, least_popularity=0.02, depths=(10, 50))
    assert misleading.ndcg(np.array([weights["ials"], weights["popularity"]])) == 1.0
    assert weights["popularity"] < weights["ials"] / 3


def test_popularity_always_counts_a_little() -> None:
    useless = table([[[1.0, 0.0], [0.0, 0.0]]], [[True, False]])
    assert fit_surface(useless, least_popularity=0.02, depths=(10, 50))["popularity"] >= 0.02


def test_without_questions_all_sources_weigh_the_same() -> None:
    weights = fit_surface(table([], []), least_popularity=0.02, depths=(10, 50))
    assert weights == {"ials": 0.5, "popularity": 0.5}


def test_questions_without_candidates_cost_nothing() -> None:
    recommender = fitted().recommender
    everything = frozenset(recommender.shard.search(Query(count=100)).item_ids)
    found = Table.of("recommend", recommender, [Question(Query(exclude=everything), frozenset({"1"}))], nothing)
    assert found.ndcg(np.ones(len(found.sources))) == 0.0


def test_newcomers_get_weights_of_their_own_in_the_document_that_serving_reads() -> None:
    parts = fitted().parts
    told = parts.json("blend")[SHORT]
    assert told["below"] == 4, "of five events one is held out"
    assert told["weights"] and set(told["weights"]) <= set(WEIGHED["recommend"])
    metrics = fitted().metrics[SHORT]
    assert metrics["questions"] == 24
    assert metrics["ndcg@10"]["blend"] >= metrics["ndcg@10"]["popularity"]


def test_climbing_finds_the_top_of_a_hill() -> None:
    top = np.array([0.3, 0.0, 2.0])
    found = climb(lambda weights: -float(np.abs(weights - top).sum()), np.ones(3), np.arange(3))
    np.testing.assert_allclose(found, top, rtol=0.15, atol=1e-6)


def test_sources_are_added_while_they_gain() -> None:
    """Either of the first two alone is half right, the two together are right; the third misleads."""

    def quality(weights: Float64) -> float:
        return min(float(weights[0]), 1.0) + min(2 * float(weights[1]), 1.0) - float(weights[2])

    found = added_up(quality, np.arange(3), 3)
    assert found[0] > 0 and found[1] > 0 and found[2] == 0
    np.testing.assert_array_equal(added_up(quality, np.array([2]), 3), [0, 0, 1])


def test_a_source_without_an_opinion_is_dropped() -> None:
    silent = table([[[0.0, 1.0], [0.0, 0.5]]], [[True, False]])
    assert fit_surface(silent, least_popularity=0.02, depths=(10, 50)) == {"popularity": 1.0}
    nobody = table([[[0.0, 0.0], [0.0, 0.0]]], [[True, False]])
    assert fit_surface(nobody, least_popularity=0.02, depths=(10, 50)) == {"popularity": 0.02}


def test_a_dropped_weight_can_come_back() -> None:
    """The second weight helps only once the first is small."""

    def quality(weights: Float64) -> float:
        first, second = float(weights[0]), float(weights[1])
        return -first - (second if first > 0.1 else abs(second - 0.2))

    assert climb(quality, np.ones(2), np.arange(2))[1] == pytest.approx(0.2, rel=0.3)


def test_weights_are_those_of_the_depths_that_are_asked_for() -> None:
    """The first source names one in three at once and ruins the others; the second has all in the third place."""
    by_all = [3.0, 2.0, 1.0, *[0.0] * 20]
    named, ruined = ([[far if place == 2 else 0.0, score] for place, score in enumerate(by_all)] for far in (9.0, -9.0))
    told = table([named, ruined, ruined], [[False, False, True]] * 3)
    first = fit_surface(told, least_popularity=0.02, depths=(1,))
    deep = fit_surface(told, least_popularity=0.02, depths=(50,))
    assert first["ials"] > 0.25 * first["popularity"]
    assert deep.get("ials", 0.0) < 0.2 * deep["popularity"]


def test_every_surface_weighs_popularity() -> None:
    assert set(WEIGHED) == set(SURFACES)
    assert all("popularity" in names for names in WEIGHED.values())


@pytest.mark.parametrize(
    "setting",
    [{"held_out_share": 0.0}, {"questions": 0}, {"least_popularity": 0.0}, {"depths": ()}, {"depths": (10, 101)}],
)
def test_settings_that_mean_nothing_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        BlendConfig(**setting)  # type: ignore[arg-type]
