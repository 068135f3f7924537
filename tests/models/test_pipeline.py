"""The whole request path in one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.catalogue import ItemRecord
from models.data import ItemInfo
from models.encoder import item_text
from models.histories import EMPTY, Histories
from models.pipeline import CANDIDATES_PER_SOURCE, LocalRecommender, candidates_per_source
from models.writer import BundleWriter
from tests.models.worlds import colour_of, fitted, history


def local() -> LocalRecommender:
    return LocalRecommender(fitted().parts)


def ids(ranked: list[tuple[str, float]]) -> list[str]:
    return [item_id for item_id, _ in ranked]


@pytest.mark.parametrize("nothing", [None, EMPTY, history("unknown")])
def test_strangers_get_popular_items_in_their_order(nothing: None) -> None:
    # Everything is equally popular, so the ids decide.
    assert ids(local().recommend(nothing, 4)) == ["0", "1", "10", "11"]


def test_the_history_decides() -> None:
    assert {colour_of(item_id) for item_id in ids(local().recommend(history("1", "3"), 4))} == {1}
    assert {colour_of(item_id) for item_id in ids(local().recommend(history("0"), 4))} == {0}


def test_what_the_user_has_is_left_out_unless_asked_for() -> None:
    seen = history("1", "3", "5")
    assert not set(ids(local().recommend(seen, 100))) & {"1", "3", "5"}
    assert set(ids(local().recommend(seen, 100, exclude_seen=False))) >= {"1", "3", "5"}


def test_excluded_items_are_left_out() -> None:
    assert not set(ids(local().recommend(history("1"), 100, exclude=["3", "7"]))) & {"1", "3", "7"}
    assert "3" not in ids(local().similar("1", 100, exclude=["3"]))
    assert "0" not in ids(local().search("knight", 100, exclude=["0"]))


def test_scores_fall() -> None:
    for ranked in (local().recommend(history("1"), 10), local().similar("1", 10), local().search("rook", 10)):
        scores = [score for _, score in ranked]
        assert len(scores) > 3 and scores == sorted(scores, reverse=True)


def test_similar_items_have_the_colour_and_are_others() -> None:
    found = ids(local().similar("4", 5))
    assert {colour_of(item_id) for item_id in found} == {0} and "4" not in found


def test_an_unknown_item_has_no_similar_ones() -> None:
    with pytest.raises(KeyError):
        local().similar("unknown", 5)


def test_a_text_finds_what_it_describes() -> None:
    found = ids(local().search("the knight and the castle", 3))
    assert {colour_of(item_id) for item_id in found} == {0}


def test_a_put_item_is_recommended_and_found_by_its_text() -> None:
    recommender = local()
    info = ItemInfo("new", "The Zebra", "A white story of a garden and a bride and a summer.", ("white",))
    factors, contents = recommender.encoder.embed_texts([item_text(info)])
    recommender.shard.put([ItemRecord(info, factors[0], contents[0])])
    assert "new" in ids(recommender.recommend(history("1", "3"), 6))
    assert ids(recommender.search("zebra", 1)) == ["new"]
    assert "1" in ids(recommender.similar("new", 7))


def test_a_page_further_down_asks_for_as_many_candidates() -> None:
    assert candidates_per_source(10) == CANDIDATES_PER_SOURCE
    assert candidates_per_source(CANDIDATES_PER_SOURCE + 1) == candidates_per_source(1_000) == 1_000


def test_a_saved_bundle_answers_as_the_models_it_was_saved_from(tmp_path: Path) -> None:
    with BundleWriter("board", tmp_path) as writer:
        writer.add(fitted().parts)
        path = writer.finish(fitted().parts.config, {}, "", 0.0)
    bundle = Bundle.open(path)
    saved, kept = LocalRecommender(bundle), fitted().recommender
    for user in ("u0", "u7"):
        before, after = Histories(fitted().parts).of(user), Histories(bundle).of(user)
        assert before is not None and after is not None
        assert list(before.item_ids) == list(after.item_ids)
        np.testing.assert_array_equal(before.timestamps, after.timestamps)
        assert saved.recommend(after, 10) == kept.recommend(before, 10)
    assert saved.similar("3", 5) == kept.similar("3", 5)
    assert saved.search("castle", 5) == kept.search("castle", 5)
