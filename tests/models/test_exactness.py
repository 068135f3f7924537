"""However many shards the items are cut into, the merged answer is the same: ids and scores, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from models import categories, topics
from models.blend import Blend
from models.catalogue import items_table
from models.content import inverse_frequencies, item_text, vectorize
from models.data import ItemInfo
from models.ease import Ease
from models.shard import Candidates, ItemRecord, ItemShard, Query, shard_of
from models.sources import SURFACES
from models.sparse import Rows
from models.tokenizer import Tokenizer, TokenizerConfig, train
from models.transitions import TransitionsConfig
from models.words import add_words
from models.writer import Parts
from tests.models.networks import SMALL, drawn
from tests.models.worlds import history
from training.parts import FitConfig

DIMENSION = 5
WEIGHTS = {
    surface: {
        "ials": 0.4,
        "itemknn": 0.2,
        "transitions": 0.3,
        "ease": 0.2,
        "rp3beta": 0.1,
        "sequence": 0.2,
        "trending": 0.1,
        "popularity": 0.05,
        "content": 0.1,
        "title": 0.2,
        "words": 0.3,
    }
    for surface in SURFACES
}
TITLES = ["red", "red green", "green blue", "blue"]
MODEL = train(TITLES, TokenizerConfig(vocabulary=100))
TOKENIZER = Tokenizer(MODEL)


def random_parts(rng: np.random.Generator, items: int) -> Parts:
    """A bundle of random numbers, half of the time coarse ones, so that many scores are equal."""
    coarse = rng.random() < 0.5

    def numbers(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        drawn = rng.integers(-1, 2, shape) if coarse else rng.normal(size=shape)
        return drawn.astype(np.float32)

    config = FitConfig(transitions=TransitionsConfig(last=4), sequence=SMALL)
    parts = Parts(asdict(config))
    infos = [ItemInfo(f"i{number:02}", TITLES[int(rng.integers(4))]) for number in range(items)]
    parts.tables["items"] = items_table(infos)
    parts.tables["users"] = pa.table({"id": pa.array([], pa.string())})
    parts.arrays["item_factors"], parts.arrays["item_contents"] = numbers(items, DIMENSION), numbers(items, DIMENSION)
    parts.arrays["item_learned"] = rng.random(items) < 0.5
    parts.arrays["popularity"] = np.abs(numbers(items))
    parts.arrays["trending"] = np.abs(numbers(items))
    for name in ("itemknn", "transitions", "rp3beta"):
        _random_rows(rng, items).add_to(parts, name)
    placed = np.flatnonzero(rng.random(items) < 0.7).astype(np.int32)
    Ease(placed, numbers(len(placed), 3), numbers(len(placed), 3)).add_to(parts)
    network = drawn(items)
    network.weights["items"][rng.random(items) < 0.3] = 0
    network.add_to(parts)
    parts.documents["blend"] = WEIGHTS
    pieces = TOKENIZER.encode([item_text(info) for info in infos])
    parts.files["tokenizer.model"] = MODEL
    parts.arrays["piece_idf"] = inverse_frequencies(pieces, len(TOKENIZER))
    add_words(parts, vectorize(pieces, parts.arrays["piece_idf"]))
    idf, nothing = parts.arrays["piece_idf"], np.random.default_rng(0)
    parts.include(categories.fit(infos, TOKENIZER, idf, config.categories, nothing, lambda done: None))
    parts.include(topics.fit(infos, config.topics, nothing, lambda done: None))
    return parts


def _random_rows(rng: np.random.Generator, items: int) -> Rows:
    columns = [np.flatnonzero(rng.random(items) < 0.4).astype(np.int32) for _ in range(items)]
    starts = np.concatenate(([0], np.cumsum([len(row) for row in columns]))).astype(np.int64)
    values = rng.choice([0.25, 0.5, 0.7], int(starts[-1])).astype(np.float32)
    return Rows(starts, np.concatenate([*columns, np.zeros(0, np.int32)]), values)


def random_query(rng: np.random.Generator, items: int, count: int) -> Query:
    ids = [f"i{number:02}" for number in rng.permutation(items + 3)[: int(rng.integers(1, 6))]]
    weights = rng.choice([-0.5, 0.5, 1.0], len(ids)).tolist()
    return Query(
        factors=rng.normal(size=DIMENSION).astype(np.float32) if rng.random() < 0.7 else None,
        content=rng.integers(-1, 2, DIMENSION).astype(np.float32) if rng.random() < 0.7 else None,
        history=history(*ids, weights=weights) if rng.random() < 0.7 else None,
        sequence=rng.normal(size=SMALL.dimension).astype(np.float32) if rng.random() < 0.7 else None,
        text="red blue" if rng.random() < 0.5 else "",
        count=count,
        exclude=ids[:2],
        filter='title != "blue"' if rng.random() < 0.3 else "",
        explain=True,
    )


def random_records(rng: np.random.Generator) -> list[ItemRecord]:
    """Some replace items of the bundle, some are new."""
    return [
        ItemRecord(
            ItemInfo(item_id, "red"),
            rng.integers(-1, 2, DIMENSION).astype(np.float32),
            rng.integers(-1, 2, DIMENSION).astype(np.float32),
        )
        for item_id in ("i00", "i03", "n1", "n2", "n3")
        if rng.random() < 0.5
    ]


def answers(
    parts: Parts, shards: int, records: Sequence[ItemRecord], deleted: Sequence[str], query: Query
) -> Candidates:
    """All shards' answers, joined as a gateway joins them."""
    found = []
    for number in range(shards):
        shard = ItemShard(parts, number, shards)
        shard.put([record for record in records if shard_of(record.info.id, shards) == number])
        shard.delete(deleted)
        found.append(shard.search(query))
    assert all(one.scores.keys() == found[0].scores.keys() for one in found), "shards have the same sources"
    return Candidates(
        [item_id for one in found for item_id in one.item_ids],
        {name: np.concatenate([one.scores[name] for one in found]) for name in found[0].scores},
        {name: np.concatenate([one.because[name] for one in found]) for name in found[0].because},
        np.concatenate([one.is_new for one in found]),
    )


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 12), st.sampled_from(SURFACES))
@settings(max_examples=120, deadline=None)
def test_shards_together_answer_as_one(seed: int, items: int, count: int, surface: str) -> None:
    rng = np.random.default_rng(seed)
    parts, query = random_parts(rng, items), random_query(rng, items, count)
    records = random_records(rng) if rng.random() < 0.5 else []
    deleted = ["i01", "n1"] if rng.random() < 0.3 else []
    blend = Blend.of(parts)
    one = answers(parts, 1, records, deleted, query)
    expected = blend.rank(surface, one.item_ids, one.scores, 0, count)
    because = {name: dict(zip(one.item_ids, one.because[name].tolist(), strict=True)) for name in one.because}
    for shards in (2, 3, 4):
        merged = answers(parts, shards, records, deleted, query)
        ranked = blend.rank(surface, merged.item_ids, merged.scores, 0, count)
        assert [merged.item_ids[place] for place in ranked.order] == [one.item_ids[place] for place in expected.order]
        np.testing.assert_array_equal(ranked.scores, expected.scores)
        for name, column in expected.contributions.items():
            np.testing.assert_array_equal(ranked.contributions[name], column)
        for name, entries in merged.because.items():
            told = dict(zip(merged.item_ids, entries.tolist(), strict=True))
            assert told.items() >= because[name].items()
