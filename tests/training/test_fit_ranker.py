"""Trees are grown from what came earlier, and kept only where they win later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from models.data import Interactions, ItemInfo
from models.histories import Histories
from models.lambdamart import Splits, Trees
from models.writer import Parts
from tests.models.worlds import SMALL, checkerboard, fitted, interactions
from training.fit import FittedModels, fit_models, tidy
from training.progress import SilentProgress
from training.ranker import Asked, Course, Lessons, Notes, RankerConfig, compared, fit_ranker, grow, lessons, ndcg, said
from training.splits import Split, temporal

CONFIG = RankerConfig(least_questions=20, least_in_leaf=5, trees=30)


def nights(users: int = 120, items: int = 30) -> Interactions:
    """Each user takes eight random items, and after every one that 7 divides the next number: a blend of averages is
    late to see it."""
    rng = np.random.default_rng(8)
    rows = []
    for user in range(users):
        for item in rng.permutation(items)[:8].tolist():
            rows.append((user, item))
            if item % 7 == 0 and (user, item + 1) not in rows:
                rows.append((user, item + 1))
    return interactions(rows, users, items)


def models(config: RankerConfig) -> FittedModels:
    infos = [ItemInfo(str(number)) for number in range(30)]
    return fit_models(nights(), infos, replace(SMALL, ranker=config), SilentProgress())


def made(questions: int, seed: int) -> Lessons:
    """Ten candidates each; the one with the largest second feature is right."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(questions * 10, 3)).astype(np.float32)
    best = table[:, 1].reshape(questions, 10).argmax(axis=1)
    relevant = np.zeros(questions * 10, np.bool_)
    relevant[np.arange(questions) * 10 + best] = True
    return Lessons(table, relevant, np.full(questions, 10))


def asked(taught: Lessons) -> list[Asked]:
    found = []
    for number in range(len(taught.sizes)):
        part = slice(number * 10, number * 10 + 10)
        found.append(Asked(np.arange(10), taught.table[part], taught.relevant[part], 1, 5))
    return found


def test_what_orders_rightly_is_learnt_and_kept() -> None:
    verdict = compared(asked(made(60, 1)), Trees(grow(made(200, 0), CONFIG, 0)), CONFIG)
    assert verdict["kept"] and verdict["questions"] == 60 and verdict["standard errors"] > 3
    assert verdict["ndcg@10"]["ranker"] > 0.9 > verdict["ndcg@10"]["blend"]


def test_what_orders_no_better_is_not_kept() -> None:
    wrong = made(60, 1)
    for each in wrong.table.reshape(60, 10, 3):
        each[:, 1] = each[::-1, 1]
    assert not compared(asked(wrong), Trees(grow(made(200, 0), CONFIG, 0)), CONFIG)["kept"]
    assert not compared([], Trees(grow(made(200, 0), CONFIG, 0)), CONFIG)["kept"]


def test_questions_without_a_right_candidate_count_as_lost_by_both() -> None:
    judged = asked(made(60, 1))
    lost = Asked(np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros(10, np.bool_), 1, 5)
    trees = Trees(grow(made(200, 0), CONFIG, 0))
    of_all, of_half = (compared(each, trees, CONFIG) for each in (judged, judged + [lost] * 60))
    assert (of_half["questions"], of_half["with a right candidate"]) == (120, 60)
    for model in ("blend", "ranker"):
        assert of_half["ndcg@10"][model] == pytest.approx(of_all["ndcg@10"][model] / 2, abs=1e-4)


@cache
def halfway() -> tuple[Split, FittedModels]:
    """Of each of 24 users one later event, and models of what came before."""
    split = temporal(tidy(*checkerboard())[0])
    return split, fit_models(split.train, tidy(*checkerboard())[1], SMALL, SilentProgress())


def course(config: RankerConfig) -> Course:
    split, found = halfway()
    return Course(split, found.parts, found.recommender, config, 0)


def nothing(_: int) -> None: ...


def test_questions_are_asked_until_enough_have_a_right_candidate() -> None:
    full = list(course(RankerConfig()).asked(["ials"], nothing))
    right = [bool(each.relevant.any()) for each in full]
    assert len(full) == 24 and sum(right) > 10
    some = list(course(RankerConfig(questions=10)).asked(["ials"], nothing))
    assert sum(each.relevant.any() for each in some) == 10 and len(some) == 1 + np.flatnonzero(right)[9]
    few = course(RankerConfig(asked=7))
    assert len(list(few.asked(["ials"], nothing))) == 7 == len(few)


def test_what_has_no_right_candidate_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(len(each.table) > 1 for each in course(RankerConfig()).asked(["ials"], nothing))
    monkeypatch.setattr("training.ranker.DEPTH", 0)
    found = list(course(RankerConfig()).asked(["ials"], nothing))
    assert len(found) == 24 and not any(each.table.size or each.places.size for each in found)
    assert {each.entries for each in found} == {4}


def test_a_fit_tells_why_it_keeps_a_ranker_or_leaves_it_out() -> None:
    verdict = {"kept": True, "ndcg@10": {"blend": 0.1, "ranker": 0.125}, "standard errors": 2.34}
    line = "ranker: kept, NDCG@10 0.1250 on the latest slice where the blend has 0.1000: +2.3 standard errors, 1.64 are"
    assert said(verdict, CONFIG) == f"{line} asked for"
    assert said({**verdict, "kept": False}, CONFIG).startswith("ranker: left out, NDCG@10 0.1250")
    assert said({"kept": False, "reason": "no users"}, CONFIG) == "ranker: left out, no users"


def noted(config: RankerConfig) -> Notes:
    notes = Notes(config, np.random.default_rng(0))
    found = list(notes.taken(course(config).asked(["ials"], nothing)))
    assert [each.entries for each in found] == [4] * 24, "questions go by as they are"
    return notes


def test_of_a_question_what_is_right_is_kept_and_a_sample_of_what_is_wrong() -> None:
    notes = noted(RankerConfig(negatives=2))
    assert notes.shortest_history == 4
    found = lessons(notes, notes)
    assert set(found.sizes.tolist()) == {3} and len(found.table) == found.sizes.sum() == 3 * len(found.sizes)
    assert found.relevant.reshape(-1, 3).sum(axis=1).tolist() == [1] * len(found.sizes)
    assert len(lessons(noted(RankerConfig(negatives=100))).table) > len(lessons(notes).table)


def test_nothing_is_learnt_where_nothing_was_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ranker.DEPTH", 0)
    assert not len(lessons(noted(CONFIG)).sizes)
    assert not Splits.of(_grown(lessons(noted(CONFIG)))).leaves.any()


def _grown(taught: Lessons) -> Parts:
    parts = Parts({})
    grow(taught, CONFIG, 0).add_to(parts)
    return parts


def test_more_steps_ask_for_each_of_the_latest_events_before_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    courses: list[Course] = []

    def remembered(earlier: Course, later: Course, *rest: Any) -> tuple[Parts, dict[str, Any]]:
        courses.extend((earlier, later))
        return fit_ranker(earlier, later, *rest)

    monkeypatch.setattr("training.validation.fit_ranker", remembered)
    found = models(replace(CONFIG, steps=3))
    earlier, later = courses
    assert len(later) == 120 and len(earlier) == 360
    assert {each.wanted for each in earlier.asked(["ials"], nothing)} == {1}
    assert found.metrics["ranker"]["questions"] <= 120


def test_the_same_lessons_give_the_same_trees() -> None:
    first, second = Parts({}), Parts({})
    grow(made(100, 0), CONFIG, 5).add_to(first)
    grow(made(100, 0), CONFIG, 5).add_to(second)
    assert all(first.arrays[name].tobytes() == second.arrays[name].tobytes() for name in first.arrays)


def test_few_users_get_no_ranker() -> None:
    told = fitted().metrics["ranker"]
    assert told == {"kept": False, "reason": "fewer than 200 users to learn from"}
    assert fitted().parts.documents["ranker"] == {"sources": []} and "ranker" not in fitted().scorers()


def test_no_trees_are_wanted() -> None:
    data, items = checkerboard()
    config = replace(SMALL, ranker=replace(CONFIG, trees=0))
    told = fit_models(data, items, config, SilentProgress()).metrics["ranker"]
    assert told == {"kept": False, "reason": "trees = 0 in [fit.ranker]"}


def test_a_fit_judges_and_ships_what_wins() -> None:
    found = models(CONFIG)
    told = found.metrics["ranker"]
    assert told["questions"] > 60
    assert told["kept"] == (told["ndcg@10"]["ranker"] > told["ndcg@10"]["blend"] and told["standard errors"] > 1.64)
    assert told["kept"] == ("ranker" in found.scorers()) == bool(found.parts.documents["ranker"]["sources"])


def test_what_is_kept_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(judged: Iterable[Asked], trees: Trees, config: RankerConfig) -> dict[str, Any]:
        return {**compared(judged, trees, config), "kept": True}

    monkeypatch.setattr("training.ranker.compared", kept)
    found = models(CONFIG)
    assert {"ials", "transitions"} <= set(found.parts.documents["ranker"]["sources"])
    assert "content" not in found.parts.documents["ranker"]["sources"], "there are no texts"
    histories = Histories(found.parts)
    scorers = found.scorers()
    lists = {name: [scorers[name](histories.of(f"u{user}"), 10) for user in range(9)] for name in ("blend", "ranker")}
    assert lists["blend"] != lists["ranker"]


def test_ndcg_is_that_of_the_first_ten() -> None:
    assert ndcg(np.array([True, False, False]), 1) == 1
    assert ndcg(np.array([False, True]), 1) == pytest.approx(1 / np.log2(3))
    assert ndcg(np.array([False] * 10 + [True]), 1) == 0
    assert ndcg(np.array([True, True]), 5) == pytest.approx((1 + 1 / np.log2(3)) / (1 / np.log2(np.arange(2, 7))).sum())


@pytest.mark.parametrize(
    "setting",
    [
        {"questions": 0},
        {"asked": 0},
        {"steps": 0},
        {"trees": -1},
        {"leaves": 1},
        {"leaves": 17},
        {"learning_rate": 0.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        RankerConfig(**setting)  # type: ignore[arg-type]
