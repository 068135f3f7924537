"""What a text is made of, found again in the texts of items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.content import item_text
from models.data import ItemInfo
from models.pipeline import LocalRecommender
from models.shard import ItemRecord, ItemShard, Query, shard_of
from tests.models.worlds import fitted, item

WORDS_ALONE = frozenset({"words"})


def scores(shard: ItemShard, text: str) -> dict[str, float]:
    found = shard.search(Query(text=text, sources=WORDS_ALONE, count=1_000))
    return dict(zip(found.item_ids, found.scores["words"].tolist(), strict=True)) if found.scores else {}


def record(info: ItemInfo) -> ItemRecord:
    factors, contents = fitted().recommender.encoder.embed_texts([item_text(info)])
    return ItemRecord(info, factors[0], contents[0])


@pytest.fixture
def shard() -> ItemShard:
    return ItemShard(fitted().parts)


def test_an_items_own_text_is_like_it_alone(shard: ItemShard) -> None:
    for number in range(12):
        found = scores(shard, item_text(item(number)))
        assert found[str(number)] == pytest.approx(1.0, abs=1e-5)
        assert max(found, key=found.__getitem__) == str(number)


def test_a_text_of_one_colour_proposes_its_items(shard: ItemShard) -> None:
    found = scores(shard, "a white garden and a rose in summer")
    best = sorted(found, key=lambda each: -found[each])[:6]
    assert {int(each) % 2 for each in best} == {1}


def test_a_text_without_a_piece_has_no_opinion(shard: ItemShard) -> None:
    assert scores(shard, "") == {}
    assert scores(shard, " \n ") == {}


def test_a_put_item_is_found_by_its_words_as_if_the_bundle_had_it(shard: ItemShard) -> None:
    expected = scores(shard, "a black knight in a castle at night")["0"]
    shard.put([record(replace(item(0), id="again"))])
    assert scores(shard, "a black knight in a castle at night")["again"] == pytest.approx(expected, abs=1e-6)


def test_a_replaced_item_is_found_by_what_it_says_since(shard: ItemShard) -> None:
    shard.put([record(replace(item(1), id="0"))])
    found = scores(shard, item_text(item(1)))
    assert found["0"] == pytest.approx(1.0, abs=1e-5)


def test_a_deleted_item_is_not_found(shard: ItemShard) -> None:
    shard.put([record(replace(item(0), id="gone"))])
    shard.delete(["gone"])
    assert "gone" not in scores(shard, item_text(item(0)))


def test_slots_that_are_numbered_anew_keep_their_words(shard: ItemShard) -> None:
    shard.put([record(replace(item(3), id="kept"))])
    before = scores(shard, item_text(item(3)))
    for _ in range(1_200):  # enough dead slots for a rebuilding
        shard.put([record(replace(item(2), id="moving"))])
    after = scores(shard, item_text(item(3)))
    assert len(shard.get(["kept", "moving"])) == 2
    assert after["kept"] == before["kept"]


def test_the_scores_do_not_depend_on_the_shards() -> None:
    text = "the knight and the rose"
    extra = [record(replace(item(number), id=f"put {number}")) for number in range(4)]
    whole, parts = ItemShard(fitted().parts), [ItemShard(fitted().parts, shard, 3) for shard in range(3)]
    whole.put(extra)
    for number, part in enumerate(parts):
        part.put([each for each in extra if shard_of(each.info.id, 3) == number])
    joined = {item_id: score for part in parts for item_id, score in scores(part, text).items()}
    assert joined == scores(whole, text)


def test_a_search_finds_a_put_item_by_its_description() -> None:
    recommender = LocalRecommender(fitted().parts)
    info = ItemInfo("new", title="Untold", text="A white bride and a rook in a castle.")
    recommender.shard.put([record(info)])
    found = dict(recommender.search("white bride in a castle", 3))
    assert np.isfinite(found["new"])


def test_putting_nothing_changes_nothing(shard: ItemShard) -> None:
    before = scores(shard, item_text(item(0)))
    shard.put([])
    assert scores(shard, item_text(item(0))) == before
