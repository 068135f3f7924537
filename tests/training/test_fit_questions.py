"""Questions have the answers the data knows, and never what the user already had."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.data import ItemInfo
from models.histories import Histories
from tests.models.worlds import SMALL, checkerboard, colour_of, fitted
from training.fit import FittedModels, fit_models, tidy
from training.progress import SilentProgress
from training.questions import (
    TOLD,
    Question,
    excerpt,
    newcomers_below,
    of_items,
    of_newcomers,
    of_steps_in_turn,
    of_texts,
    of_users,
    of_users_in_turn,
    shortest_history,
)
from training.splits import Latest, Split, temporal

SPLIT = temporal(tidy(*checkerboard())[0])


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_users_are_asked_for_what_they_took_to_later() -> None:
    found = of_users(SPLIT, Histories(fitted().parts), fitted().recommender, 100, rng())
    assert len(found) == 24
    for question in found:
        assert question.query.history is not None and len(question.relevant) == 1
        assert {colour_of(item) for item in question.relevant} == {colour_of(question.query.history.item_ids[0])}


def test_no_more_questions_than_asked_for() -> None:
    recommender, histories = fitted().recommender, Histories(fitted().parts)
    assert len(of_users(SPLIT, histories, recommender, 5, rng())) == 5
    assert len(of_texts(checkerboard()[1], np.ones(12, np.float32), recommender, 5, rng())) == 5


def test_users_in_turn_are_the_same_users_in_an_order_that_is_drawn() -> None:
    recommender, histories = fitted().recommender, Histories(fitted().parts)
    told = [_told(each) for each in of_users(SPLIT, histories, recommender, 100, rng())]
    drawn = [_told(each) for each in of_users_in_turn(SPLIT, histories, recommender, 100, rng())]
    assert sorted(drawn) == sorted(told) and drawn != told
    assert [_told(each) for each in of_users_in_turn(SPLIT, histories, recommender, 5, rng())] == drawn[:5]


def test_steps_are_asked_for_one_by_one_each_told_what_came_before() -> None:
    split, found = halfway()
    asked = [_told(each) for each in of_steps_in_turn(split, Histories(found.parts), found.recommender, 100, rng())]
    assert len(asked) == 72 and all(len(right) == 1 for _, right in asked)
    for first, second, third in zip(asked[::3], asked[1::3], asked[2::3], strict=True):
        assert second[0] == first[1] + first[0] and third[0] == second[1] + second[0]
    slices = {tuple(sorted(split.test.item_ids[item] for item in items)) for items in split.targets.values()}
    assert {tuple(sorted(third[1] + third[0][:2])) for third in asked[2::3]} == slices
    few = of_steps_in_turn(split, Histories(found.parts), found.recommender, 5, rng())
    assert [_told(each) for each in few] == asked[:5]


def test_a_step_that_was_disliked_is_told_and_not_asked_for() -> None:
    split, found = halfway()
    weights = np.tile(np.array([-1, 1, 1], np.float32), 24)
    split = replace(split, test=replace(split.test, weights=weights))
    asked = list(of_steps_in_turn(split, Histories(found.parts), found.recommender, 100, rng()))
    assert len(asked) == 48
    histories = [each.query.history for each in asked[::2]]
    assert all(history is not None and history.weights.tolist() == [-1, 1, 1] for history in histories)


@cache
def halfway() -> tuple[Split, FittedModels]:
    """Of each of 24 users the three latest events, and models of the two before."""
    data, items = tidy(*checkerboard())
    split = Latest(events=3).held_out_of(data)
    return split, fit_models(split.train, items, SMALL, SilentProgress())


def _told(question: Question) -> tuple[list[str], list[str]]:
    assert question.query.history is not None
    return list(question.query.history.item_ids), sorted(question.relevant)


def test_of_newcomers_the_first_entries_are_told_and_nothing_known_is_asked_for() -> None:
    whole = of_users(SPLIT, Histories(fitted().parts), fitted().recommender, 4, rng())
    found = of_newcomers(whole, fitted().recommender, 3)
    for number, (question, of_all) in enumerate(zip(found, whole, strict=True)):
        ids, right = _told(of_all)
        assert _told(question) == (ids[-1 - number % 2 :], right), "one entry and two in turn"
        assert set(question.query.exclude) == set(ids) and question.query.factors is not None


def test_nobody_stands_for_newcomers_where_all_know_as_little() -> None:
    whole = of_users(SPLIT, Histories(fitted().parts), fitted().recommender, 2, rng())
    assert of_newcomers(whole, fitted().recommender, 1) == []
    newcomers = of_newcomers(whole, fitted().recommender, 2)
    assert len(newcomers) == 2 and of_newcomers(newcomers, fitted().recommender, 2) == []


def test_a_newcomer_has_no_more_entries_than_weights_are_learnt_of() -> None:
    assert newcomers_below([3, 4, 4]) == 3
    assert newcomers_below([30, 40, 50]) == max(TOLD) + 1
    assert newcomers_below([]) == 0


def test_the_shortest_history_is_short_of_the_few_below() -> None:
    assert shortest_history([1, *range(20, 59)]) == 20 and shortest_history([3] * 9) == 3
    assert shortest_history([]) == 0
    assert shortest_history([9_000] * 9) == 500, "as many as queries look at"


def test_like_an_item_is_what_the_same_user_liked_then() -> None:
    split = temporal(tidy(*checkerboard())[0], share=0.5)
    found = of_items(split, fitted().recommender, 100, rng())
    assert len(found) == 24
    for question in found:
        (asked,) = question.query.exclude
        assert asked not in question.relevant and question.relevant
        assert {colour_of(item) for item in question.relevant} == {colour_of(asked)}


def test_users_with_one_such_item_say_nothing_of_likeness() -> None:
    assert of_items(SPLIT, fitted().recommender, 100, rng()) == []


def test_a_text_asks_for_the_item_it_is_taken_from() -> None:
    items = checkerboard()[1]
    popularity = np.array([1.0] * 6 + [0.0] * 6, np.float32)
    found = of_texts(items, popularity, fitted().recommender, 100, rng())
    assert len(found) == 6, "what nobody took is not asked for"
    by_id = {item.id: item for item in items}
    for question in found:
        (meant,) = question.relevant
        told = set(f"{by_id[meant].title} {by_id[meant].text}".replace(".", "").split())
        assert set(question.query.text.split()) <= told


def test_without_texts_or_events_there_are_no_questions() -> None:
    recommender = fitted().recommender
    assert of_texts([ItemInfo("0")], np.ones(1, np.float32), recommender, 5, rng()) == []
    assert of_texts(checkerboard()[1], np.zeros(12, np.float32), recommender, 5, rng()) == []


@pytest.mark.parametrize(
    ("item", "allowed"),
    [
        (ItemInfo("1", "Alien"), {"Alien"}),
        (ItemInfo("1", "", "one two three"), {"one two three"}),
        (ItemInfo("1", "A: B"), {"A", "B", "A B"}),
        (ItemInfo("1", "?!"), {""}),
    ],
)
def test_excerpts_are_words_of_the_title_or_of_the_text(item: ItemInfo, allowed: set[str]) -> None:
    generator = rng()
    assert {excerpt(item, generator) for _ in range(50)} == allowed
