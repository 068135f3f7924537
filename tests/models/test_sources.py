"""What every source of recommendations passes, and what each of them counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import ease, itemknn, popularity, rp3beta, transitions, trending
from models.data import Float32
from models.histories import Histories
from models.shard import Query
from models.sources import SOURCES
from models.sparse import Rows, matrix_of
from tests.models.worlds import checkerboard, colour_of, fitted, history, interactions, missing

OF_USERS = ("ials", "itemknn", "transitions", "ease", "rp3beta", "content")
ALL = ("popularity", *OF_USERS)


def nothing(_: int) -> None: ...


def dense(rows: Rows, items: int) -> Float32:
    found = np.zeros((items, items), np.float32)
    for row in range(items):
        part = slice(int(rows.starts[row]), int(rows.starts[row + 1]))
        found[row, rows.columns[part]] = rows.values[part]
    return found


@pytest.mark.parametrize("source", ALL)
class TestEverySource:
    def answers(self, source: str, user: int, count: int) -> list[str]:
        return fitted().scorers()[source](Histories(fitted().parts).of(f"u{user}"), count)

    def test_gives_at_most_what_is_asked_for_and_nothing_twice(self, source: str) -> None:
        for count in (1, 3, 100):
            found = self.answers(source, 3, count)
            assert 1 <= len(found) <= count and len(set(found)) == len(found)

    def test_leaves_out_what_the_user_has(self, source: str) -> None:
        seen = Histories(fitted().parts).of("u5")
        assert seen is not None and not set(self.answers(source, 5, 100)) & set(seen.item_ids)

    def test_gives_the_same_list_again(self, source: str) -> None:
        assert self.answers(source, 1, 10) == self.answers(source, 1, 10)

    def test_a_shorter_list_is_the_start_of_a_longer_one(self, source: str) -> None:
        assert self.answers(source, 1, 2) == self.answers(source, 1, 6)[:2]

    def test_has_no_opinion_without_a_query(self, source: str) -> None:
        found = fitted().recommender.shard.search(Query(sources=frozenset({source})))
        assert set(found.scores) == {"popularity"} & {source}


@pytest.mark.parametrize("source", OF_USERS)
@pytest.mark.parametrize("user", range(6))
def test_the_missing_item_of_the_colour_comes_first(source: str, user: int) -> None:
    best = fitted().scorers()[source](Histories(fitted().parts).of(f"u{user}"), 1)
    assert best == [str(missing(user, 12))]


def test_the_blend_puts_the_missing_item_first() -> None:
    for user in range(12):
        assert fitted().scorers()["blend"](Histories(fitted().parts).of(f"u{user}"), 1) == [str(missing(user, 12))]


def test_every_source_has_a_name_of_its_own() -> None:
    assert len(set(SOURCES)) == len(SOURCES) == 12


def test_neighbours_are_cosines_with_shrinkage() -> None:
    # Item 0: users 0, 1, 2; item 1: users 0, 1 (one of them a dislike); item 2: user 2.
    data = interactions([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 2)], 3, 3, [1, 1, 1, -0.5, 1, 1])
    found = dense(itemknn.fit(matrix_of(data), itemknn.ItemKnnConfig(shrinkage=2.0), nothing), 3)
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = 0.5 / (np.sqrt(3) * np.sqrt(1.25) + 2)
    expected[0, 2] = expected[2, 0] = 1 / (np.sqrt(3) + 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_neighbours_of_a_checkerboard_have_the_same_colour() -> None:
    data, _ = checkerboard()
    found = dense(itemknn.fit(matrix_of(data), itemknn.ItemKnnConfig(), nothing), 12)
    for row, column in np.argwhere(found):
        assert row % 2 == column % 2 and row != column


def test_only_the_best_neighbours_are_kept() -> None:
    data, _ = checkerboard()
    whole = dense(itemknn.fit(matrix_of(data), itemknn.ItemKnnConfig(), nothing), 12)
    cut = dense(itemknn.fit(matrix_of(data), itemknn.ItemKnnConfig(neighbours=2), nothing), 12)
    assert ((cut > 0).sum(axis=1) == 2).all()
    for row in range(12):
        assert set(whole[row, cut[row] > 0]) <= set(np.sort(whole[row])[-2:])


def test_blocks_do_not_change_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = checkerboard()
    told: list[int] = []
    whole = itemknn.fit(matrix_of(data), itemknn.ItemKnnConfig(), told.append)
    monkeypatch.setattr("models.sparse.BLOCK_ELEMENTS", 30)
    blocks = itemknn.fit(matrix_of(data), itemknn.ItemKnnConfig(), told.append)
    np.testing.assert_array_equal(dense(whole, 12), dense(blocks, 12))
    assert sum(told) == 24


def test_transitions_count_the_steps_after_an_item() -> None:
    # One user goes 0, 1, 2, 3; a second one 1, 2, and dislikes 0.
    data = interactions([(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 0)], 2, 4, [1, 1, 0.5, 1, 1, 1, -1])
    config = transitions.TransitionsConfig(window=2, decay=0.5, popularity_exponent=1.0, source_exponent=0.0)
    found = dense(transitions.fit(data, config, nothing), 4)
    expected = np.zeros((4, 4))
    expected[0, 1], expected[0, 2] = 1, 0.5 * 0.5
    expected[1, 2], expected[1, 3] = 0.5 + 1, 0.5
    expected[2, 3] = 1
    np.testing.assert_allclose(found, expected / np.array([2, 2, 2, 1]), rtol=1e-6)
    shared = dense(transitions.fit(data, replace(config, source_exponent=0.5), nothing), 4)
    np.testing.assert_allclose(shared, found / np.sqrt([2, 2, 2, 1])[:, None], rtol=1e-6)


def test_transitions_do_not_cross_from_one_user_to_the_next() -> None:
    data = interactions([(0, 0), (1, 1)], 2, 2)
    assert not dense(transitions.fit(data, transitions.TransitionsConfig(), nothing), 2).any()


def test_transitions_look_at_the_last_entries_alone() -> None:
    long = history(*(str(number) for number in range(30)), weights=[0.1, 0.0, 2.0] * 10)
    weights = transitions.query_weights(long, transitions.TransitionsConfig(last=3, last_decay=0.5))
    np.testing.assert_allclose(weights, [1.0, 0.5, 0.25])
    assert len(transitions.query_weights(history("1"), transitions.TransitionsConfig(last=3))) == 1


def test_nothing_is_recommended_for_following_what_was_disliked() -> None:
    mixed = history("0", "1", "2", weights=[-1.0, 1.0, -0.5])
    weights = transitions.query_weights(mixed, transitions.TransitionsConfig(last_decay=0.5))
    np.testing.assert_allclose(weights, [0.0, 0.5, 0.0])
    disliked = Query(history=history("0", weights=[-1.0]), sources=frozenset({"transitions"}))
    assert not fitted().recommender.shard.search(disliked).item_ids


def test_popularity_is_the_logarithm_of_what_was_liked() -> None:
    data = interactions([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)], 3, 3, [1, 1, -1, 0.5, 0.25])
    np.testing.assert_allclose(popularity.fit(data, popularity.PopularityConfig()), np.log1p([2, 0.75, 0]), rtol=1e-6)


def test_popularity_can_age() -> None:
    data = replace(interactions([(0, 0), (0, 1)], 1, 2), timestamps=np.array([0.0, 2 * popularity.DAY]))
    found = popularity.fit(data, popularity.PopularityConfig(half_life_days=1.0))
    np.testing.assert_allclose(found, np.log1p([0.25, 1.0]), rtol=1e-6)


@pytest.mark.parametrize("days", [None, 3.0])
def test_trending_forgets(days: float | None) -> None:
    """Two likes a hundred days ago, one today and a dislike."""
    at = 1e9 + np.array([0.0, 0.0, 100.0, 100.0]) * trending.DAY
    data = replace(interactions([(0, 0), (1, 0), (0, 1), (1, 2)], 2, 3, [1, 1, 1, -1]), timestamps=at[[0, 2, 1, 3]])
    config = trending.TrendingConfig(half_life_days=days)
    half_life = (days or 100 * trending.SHARE_OF_SPAN) * trending.DAY
    assert trending.half_life(data.timestamps, config) == pytest.approx(half_life, rel=0.01)
    found = trending.fit(data, config)
    assert found[1] == pytest.approx(np.log(2.0)) and found[0] < 0.01 and found[2] == 0


def test_places_in_sequences_have_no_trends() -> None:
    assert not trending.fit(interactions([(0, 0), (0, 1)], 1, 2), trending.TrendingConfig()).any()
    assert not trending.fit(interactions([], 1, 2), trending.TrendingConfig()).any()


def test_a_walk_goes_to_an_item_of_the_same_user() -> None:
    # From item 0 users 0 and 1 are as likely; user 0 goes on to 1, user 1 to 1 or 2; the dislike is no step.
    data = interactions([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 2), (2, 0)], 3, 3, [1, 1, 1, 1, 1, 1, -1])
    config = rp3beta.Rp3BetaConfig(alpha=1.0, beta=0.0)
    found = dense(rp3beta.fit(matrix_of(data), config, nothing), 3)
    assert found[0, 1] == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 1 / 3)
    assert found[0, 2] == pytest.approx(1 / 2 * 1 / 3) and found[0, 0] == 0
    assert found[2, 0] == pytest.approx(1 / 2 * 1 / 3)
    held_back = dense(rp3beta.fit(matrix_of(data), replace(config, beta=1.0), nothing), 3)
    np.testing.assert_allclose(held_back, found / np.array([2, 2, 2]), rtol=1e-6)
    strange = dense(rp3beta.fit(matrix_of(data), replace(config, alpha=0.5), nothing), 3)
    assert strange[0, 2] == pytest.approx(np.sqrt(1 / 2) * np.sqrt(1 / 3))


def test_ease_is_the_regression_of_all_items_on_one_another_without_themselves() -> None:
    rng = np.random.default_rng(3)
    taken = (rng.random((40, 7)) < 0.4).astype(np.float32)
    data = interactions([(int(u), int(i)) for u, i in np.argwhere(taken)], 40, 7)
    config = ease.EaseConfig(dimension=7, regularization=2.0, least_taken=1)
    found = ease.fit(matrix_of(data), config, np.random.default_rng(0))
    weights = found.queries @ found.targets.T
    for item in range(7):
        others = np.delete(np.arange(7), item)
        x, y = taken[:, others].astype(np.float64), taken[:, item]
        expected = np.linalg.solve(x.T @ x + 2.0 * np.eye(6), x.T @ y)
        np.testing.assert_allclose(weights[others, item], expected, atol=1e-4)
        assert abs(weights[item, item]) < 1e-4


def test_ease_has_a_place_for_the_most_taken_items_alone() -> None:
    data = interactions([(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (0, 0), (1, 0), (2, 3)], 3, 5)
    few = ease.fit(matrix_of(data), ease.EaseConfig(most_items=2, least_taken=1), np.random.default_rng(0))
    assert few.items.tolist() == [0, 1], "of equal ones the smaller number"
    known = ease.EaseOfShard(few, np.array([1, 4]), 5)
    one = np.ones(1, np.float32)
    assert known.scores(np.array([2], np.int32), one) is None and known.scores(np.array([-1], np.int32), one) is None
    told = known.scores(np.array([0], np.int32), one)
    assert told is not None and told[0] > 0 and told[1] == 0
    nobody = ease.fit(matrix_of(data), ease.EaseConfig(least_taken=9), np.random.default_rng(0))
    assert (
        not len(nobody.items) and ease.EaseOfShard(nobody, np.arange(5), 5).scores(np.zeros(1, np.int32), one) is None
    )


def test_content_finds_items_of_the_same_words() -> None:
    recommender = fitted().recommender
    _, contents = recommender.encoder.embed_texts(["a knight in the castle at night"])
    found = recommender.shard.search(Query(content=contents[0], count=6, sources=frozenset({"content"})))
    assert {colour_of(item) for item in found.item_ids} == {0}


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        (itemknn.ItemKnnConfig, {"neighbours": 0}),
        (itemknn.ItemKnnConfig, {"shrinkage": -1.0}),
        (itemknn.ItemKnnConfig, {"half_life": -1.0}),
        (transitions.TransitionsConfig, {"window": 0}),
        (transitions.TransitionsConfig, {"last": 0}),
        (transitions.TransitionsConfig, {"decay": 0.0}),
        (transitions.TransitionsConfig, {"last_decay": 1.5}),
        (popularity.PopularityConfig, {"half_life_days": -1.0}),
        (trending.TrendingConfig, {"half_life_days": 0.0}),
        (rp3beta.Rp3BetaConfig, {"alpha": 0.0}),
        (rp3beta.Rp3BetaConfig, {"beta": -0.1}),
        (ease.EaseConfig, {"regularization": 0.0}),
        (ease.EaseConfig, {"most_items": -1}),
        (ease.EaseConfig, {"dimension": 0}),
    ],
)
def test_settings_that_mean_nothing_are_refused(config: type, setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        config(**setting)
