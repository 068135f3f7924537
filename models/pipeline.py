"""The request path of the mesh in one process: the same calls in the same order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

import numpy as np

from models.bundle import BundleData
from models.data import History
from models.encoder import Encoder
from models.histories import SEEN_LIMIT
from models.ranker import Ranker
from models.shard import ItemShard, Query

# Candidates a source proposes over all shards; for what comes behind all of theirs, the second number.
CANDIDATES_PER_SOURCE: Final = 200
MOST_CANDIDATES_PER_SOURCE: Final = 1_000


class LocalRecommender:
    """Recommends from a bundle without a mesh; the lists are those of the mesh."""

    def __init__(self, bundle: BundleData) -> None:
        self.encoder = Encoder(bundle)
        self.shard = ItemShard(bundle)
        self.ranker = Ranker.of(bundle)

    def recommend(
        self, history: History | None, count: int, exclude: Collection[str] = (), exclude_seen: bool = True
    ) -> list[tuple[str, float]]:
        """Items and scores, best first; popular items where nothing of the history is known."""
        return self.ranked("recommend", self.query(history, count, exclude, exclude_seen), count)

    def query(
        self, history: History | None, count: int, exclude: Collection[str] = (), exclude_seen: bool = True
    ) -> Query:
        """What the shards are asked for a user."""
        seen = history.item_ids[:SEEN_LIMIT] if history is not None and exclude_seen else ()
        wanted = Query(surface="recommend", count=candidates_per_source(count), exclude={*exclude, *seen})
        if history is None or not len(history):
            return wanted
        factors, contents = self.encoder.embed_histories([history])
        sequences = self.encoder.embed_sequences([history])
        return replace(wanted, factors=factors[0], content=contents[0], history=history, sequence=sequences[0])

    def similar(self, item_id: str, count: int, exclude: Collection[str] = ()) -> list[tuple[str, float]]:
        """Items like this one. KeyError: there is no such item."""
        return self.ranked("similar", self.query_of_item(item_id, count, exclude), count)

    def query_of_item(self, item_id: str, count: int, exclude: Collection[str] = ()) -> Query:
        """What the shards are asked for items like one: its own vectors, and a history of it alone."""
        found = self.shard.get([item_id])
        if not found:
            raise KeyError(item_id)
        history = History([item_id], np.ones(1, np.float32), np.zeros(1))
        wanted = candidates_per_source(count)
        return Query(found[0].factors, found[0].content, history, count=wanted, exclude={*exclude, item_id})

    def search(self, text: str, count: int, exclude: Collection[str] = ()) -> list[tuple[str, float]]:
        """Items this text describes, by meaning, by title and by its words."""
        return self.ranked("search", self.query_of_text(text, count, exclude), count)

    def query_of_text(self, text: str, count: int, exclude: Collection[str] = ()) -> Query:
        """What the shards are asked for a text."""
        _, contents = self.encoder.embed_texts([text])
        return Query(content=contents[0], text=text, count=candidates_per_source(count), exclude=exclude)

    def ranked(self, surface: str, query: Query, count: int) -> list[tuple[str, float]]:
        """The shards' candidates in the ranker's order: those of the first pages, then what a longer list has beside.

        The scores of the latter are lowered together until none is above those before.
        """
        found = self.shard.search(query)

        def ranked(count: int, candidates: int) -> list[tuple[str, float]]:
            ranked = self.ranker.rank(surface, found.item_ids, found.scores, count, candidates, query.history)
            ids = [found.item_ids[place] for place in ranked.order.tolist()]
            return list(zip(ids, ranked.scores.tolist(), strict=True))

        first = ranked(count, min(query.count, CANDIDATES_PER_SOURCE))
        if len(first) == count or query.count <= CANDIDATES_PER_SOURCE:
            return first
        taken = {item for item, _ in first}
        rest = [each for each in ranked(0, query.count) if each[0] not in taken][: count - len(first)]
        lowered = max(0.0, rest[0][1] - first[-1][1]) if first and rest else 0.0
        return first + [(item, score - lowered) for item, score in rest]


def candidates_per_source(count: int) -> int:
    """How many candidates to ask of each source for a page that ends at `count`."""
    return CANDIDATES_PER_SOURCE if count <= CANDIDATES_PER_SOURCE else max(MOST_CANDIDATES_PER_SOURCE, count)
