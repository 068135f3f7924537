"""A held-out slice as sources are judged on it: who is asked, what is told of them, and what they are to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from scipy import sparse

from models.data import Float32, History, Int32, Interactions
from models.ease import Ease
from models.encoder import Encoder
from models.entries import Weigh, query_weights
from models.histories import Histories
from models.sparse import BLOCK_ELEMENTS, Matrix, Rows
from models.writer import Parts
from training.metrics import measure, padded
from training.splits import Split

DEPTHS: Final = (10, 50)  # as for the blend's weights: the longer list steadies what ten places leave to chance


@dataclass(frozen=True, slots=True)
class Slice:
    """Users with something to find in a held-out slice, and what the earlier part says of them."""

    histories: Sequence[History]
    entries: Sequence[Int32]  # of each history the rows of its items
    relevant: Sequence[Int32]
    items: int  # of the catalogue
    train: Interactions  # the earlier part

    @classmethod
    def of(cls, split: Split, parts: Parts, most: int, rng: np.random.Generator) -> Slice:
        wanted, histories = split.targets, Histories(parts)
        users = sorted(wanted)
        if len(users) > most:
            users = sorted(rng.choice(users, most, replace=False).tolist())
        found = {user: histories.of(split.train.user_ids[user]) for user in users}
        asked = {user: history for user, history in found.items() if history is not None}
        rows = {item: row for row, item in enumerate(split.train.item_ids)}
        entries = [np.array([rows[item] for item in history.item_ids], np.int32) for history in asked.values()]
        return cls(list(asked.values()), entries, [wanted[user] for user in asked], len(rows), split.train)

    def weights(self, weigh: Weigh) -> Matrix:
        """Users by items: what each entry of a history counts."""
        told = [weigh(history) for history in self.histories]
        items = [entries[: len(weights)] for entries, weights in zip(self.entries, told, strict=True)]
        starts = np.concatenate(([0], np.cumsum([len(each) for each in items])))
        columns, values = np.concatenate([*items, np.zeros(0, np.int32)]), np.concatenate([*told, np.zeros(0)])
        shape = (len(self.histories), self.items)
        return sparse.csr_array((values.astype(np.float32), columns, starts), shape=shape)

    def quality(self, scores: Callable[[slice], Float32]) -> float:
        """The mean NDCG of the lists by these scores of users by items, without what the users have."""
        ranked = [self._best(users, scores(users)) for users in self._blocks()]
        lists = padded([row for block in ranked for row in block], max(DEPTHS))
        return float(np.mean([measure(lists, self.relevant, self.items, depth)["ndcg"] for depth in DEPTHS]))

    def _best(self, users: slice, scores: Float32) -> Int32:
        for row, entries in zip(scores, self.entries[users], strict=True):
            row[entries] = -np.inf
        depth = min(max(DEPTHS), scores.shape[1])
        best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1).astype(np.int32)

    def _blocks(self) -> Iterator[slice]:
        size = max(1, BLOCK_ELEMENTS // max(self.items, 1))
        for start in range(0, len(self.histories), size):
            yield slice(start, min(start + size, len(self.histories)))


def scores(parts: Parts, name: str, held_out: Slice) -> Callable[[slice], Float32]:
    """What a source says of all items, for some of the slice's users."""
    if name == "ials":
        return _folded_in(parts, held_out)
    asked = held_out.weights(query_weights(parts)[name])
    if name == "ease":
        ease = Ease.of(parts)
        queries = asked[:, ease.items] @ ease.queries
        return partial(_placed, queries, ease, held_out.items)
    rows = Rows.of(parts, name)
    said = sparse.csr_array((rows.values, rows.columns, rows.starts), shape=(asked.shape[1], asked.shape[1]))
    return lambda users: np.asarray((asked[users] @ said).toarray(), np.float32)


def _placed(queries: Float32, ease: Ease, width: int, users: slice) -> Float32:
    found = np.zeros((len(queries[users]), width), np.float32)
    found[:, ease.items] = queries[users] @ ease.targets.T
    return found


def _folded_in(parts: Parts, held_out: Slice) -> Callable[[slice], Float32]:
    encoder = Encoder(parts)
    factors, _ = encoder.embed_histories(held_out.histories)
    items = parts.array("item_factors")
    return lambda users: np.asarray(factors[users] @ items.T, np.float32)
