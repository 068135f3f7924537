"""Items that come live are given categories and topics as those of the bundle are."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from models.categories import PREDICTED, CategoriesConfig
from models.data import ItemInfo
from models.shard import ItemRecord, ItemShard, Query
from models.topics import TOPICS, TopicsConfig
from models.writer import Parts
from tests.models.worlds import SMALL, checkerboard
from training.fit import FitConfig, fit_models
from training.progress import SilentProgress

CONFIG = replace(
    SMALL,
    categories=CategoriesConfig(least_items=3, strength=10.0),
    topics=TopicsConfig(topics=2, least_texts=2, least_words=2, most_texts=0.6, least_coherence=-1.0),
)
BARE = ItemInfo("bare", "A Game", "A black story of a knight and a castle and a rook.")


@lru_cache(maxsize=2)
def parts(config: FitConfig = CONFIG) -> Parts:
    data, items = checkerboard(items=40)
    return fit_models(data, [replace(items[0], categories=()), *items[1:]], config, SilentProgress()).parts


def put(info: ItemInfo, config: FitConfig = CONFIG) -> ItemShard:
    shard = ItemShard(parts(config))
    known = shard.get(["2"])[0]
    shard.put([ItemRecord(info, known.factors, known.content)])
    return shard


def test_an_item_of_the_bundle_without_categories_is_filled_and_marked() -> None:
    (found,) = ItemShard(parts()).get(["0"])
    assert found.info.categories == ("black",) and found.info.attributes[PREDICTED] is True


def test_an_item_of_the_bundle_with_categories_is_not_marked() -> None:
    (found,) = ItemShard(parts()).get(["1"])
    assert found.info.categories == ("white",) and PREDICTED not in found.info.attributes


def test_a_live_item_is_filled_and_can_be_filtered_by_what_was_filled_in() -> None:
    shard = put(BARE)
    (found,) = shard.get(["bare"])
    assert found.info.categories == ("black",) and found.info.attributes[PREDICTED] is True
    asked = Query(factors=found.factors, filter=f'categories has "black" and {PREDICTED} = true')
    assert set(shard.search(asked).item_ids) == {"0", "bare"}


def test_a_live_item_gets_the_topics_an_item_of_the_bundle_gets() -> None:
    (known,) = ItemShard(parts()).get(["0"])
    twin = ItemInfo("twin", known.info.title, known.info.text)
    (found,) = put(twin).get(["twin"])
    assert found.info.attributes[TOPICS] == known.info.attributes[TOPICS]


def test_what_is_filled_in_is_no_part_of_what_an_item_is_embedded_from() -> None:
    """Else an item would stand elsewhere when it is put than in the next bundle."""
    scores = []
    for config in (CONFIG, SMALL):  # the latter learns neither categories nor topics from so little
        shard = put(BARE, config)
        found = shard.search(Query(text="black rook"))
        scores.append(dict(zip(found.item_ids, found.scores["words"].tolist(), strict=True))["bare"])
    assert scores[0] == scores[1] and put(BARE, SMALL).get(["bare"])[0].info == BARE
