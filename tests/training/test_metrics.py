"""Metrics: examples worked by hand, and trec_eval as the second implementation on random cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from models.data import Int32
from training.metrics import METRICS, hits, measure, padded

CATALOGUE = 40


def relevant(*lists: list[int]) -> list[Int32]:
    return [np.array(items, dtype=np.int32) for items in lists]


def test_one_user_by_hand() -> None:
    # Places 1 and 3 of five are right, three items were wanted.
    figures = measure(padded([[7, 1, 8, 2, 3]], 5), relevant([7, 8, 9]), CATALOGUE, 5)
    assert figures["precision"] == pytest.approx(2 / 5)
    assert figures["recall"] == pytest.approx(2 / 3)
    assert figures["map"] == figures["map_all"] == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert figures["ndcg"] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2))
    assert figures["mrr"] == 1.0
    assert figures["hit_rate"] == 1.0
    assert figures["coverage"] == pytest.approx(5 / CATALOGUE)


def test_the_list_is_cut_at_k() -> None:
    figures = measure(padded([[1, 2, 7]], 20), relevant([7]), CATALOGUE, 2)
    assert {name: figures[name] for name in METRICS if name != "coverage"} == dict.fromkeys(METRICS[:-1], 0.0)
    assert measure(padded([[1, 2, 7]], 20), relevant([7]), CATALOGUE, 3)["mrr"] == pytest.approx(1 / 3)


def test_a_perfect_list_scores_one_also_where_more_was_wanted_than_fits() -> None:
    figures = measure(padded([[1, 2]], 2), relevant([1, 2, 3, 4]), CATALOGUE, 2)
    assert figures["map"] == figures["ndcg"] == figures["precision"] == 1.0
    assert figures["recall"] == figures["map_all"] == 0.5


def test_a_user_without_a_list_counts_zero() -> None:
    figures = measure(padded([[1], []], 10), relevant([1], [1]), CATALOGUE, 10)
    assert figures["ndcg"] == figures["recall"] == figures["hit_rate"] == 0.5
    assert figures["precision"] == pytest.approx(0.05)


def test_nobody_to_measure_is_zero_and_no_error() -> None:
    assert measure(padded([], 10), [], CATALOGUE, 10) == dict.fromkeys(METRICS, 0.0)


def test_coverage_counts_an_item_once() -> None:
    assert measure(padded([[1, 2], [2, 1]], 2), relevant([1], [1]), CATALOGUE, 2)["coverage"] == 2 / CATALOGUE


def test_hits_do_not_cross_from_user_to_user() -> None:
    assert hits(padded([[0, 39], [0, 39]], 3), relevant([39], [0]), CATALOGUE).tolist() == [
        [False, True, False],
        [True, False, False],
    ]


items = st.integers(0, CATALOGUE - 1)
users = st.lists(
    st.tuples(st.lists(items, unique=True, max_size=30), st.lists(items, unique=True, min_size=1, max_size=30)),
    min_size=1,
    max_size=8,
)


@given(users, st.integers(1, 25))
def test_agrees_with_trec_eval(cases: list[tuple[list[int], list[int]]], k: int) -> None:
    figures = measure(
        padded([ranked for ranked, _ in cases], k), relevant(*(found for _, found in cases)), CATALOGUE, k
    )
    theirs = trec_eval(cases, k)
    for name, value in theirs.items():
        assert figures[name] == pytest.approx(value), name


def trec_eval(cases: list[tuple[list[int], list[int]]], k: int) -> dict[str, float]:
    """The same means by trec_eval.

    It is given distinct scores, for it breaks ties by document name, and lists cut at k, for its reciprocal rank
    looks at the whole list. Its map_cut is our map_all; our map divides by min(k, relevant). It leaves out a user
    without a list; ours counts zero.
    """
    judged = {str(user): {f"d{item}": 1 for item in found} for user, (_, found) in enumerate(cases)}
    run = {
        str(user): {f"d{item}": 1.0 - place / 100 for place, item in enumerate(ranked[:k])}
        for user, (ranked, _) in enumerate(cases)
    }
    names = {f"P.{k}", f"recall.{k}", f"map_cut.{k}", f"ndcg_cut.{k}", f"success.{k}", "recip_rank"}
    results = pytrec_eval.RelevanceEvaluator(judged, names).evaluate(run)

    def mean(name: str) -> float:
        return sum(found.get(name, 0.0) for found in results.values()) / len(cases)

    rescaled = sum(
        results[str(user)][f"map_cut_{k}"] * len(found) / min(k, len(found))
        for user, (ranked, found) in enumerate(cases)
        if ranked
    )
    return {
        "precision": mean(f"P_{k}"),
        "recall": mean(f"recall_{k}"),
        "map": rescaled / len(cases),
        "map_all": mean(f"map_cut_{k}"),
        "ndcg": mean(f"ndcg_cut_{k}"),
        "mrr": mean("recip_rank"),
        "hit_rate": mean(f"success_{k}"),
    }
