"""SASRec: self-attention over what a user took, in order, to a vector that is near what the user takes next.

After Kang, McAuley, "Self-Attentive Sequential Recommendation" (2018), with norms before each layer and the item
vectors shared between what goes in and what comes out. Serving needs NumPy alone; `training.neural` learns the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.bundle import BundleData, settings_of
from models.data import Float32, History
from models.histories import HISTORY_LIMIT
from models.sparse import Int64
from models.writer import Parts

# The names of the weights: the tables of items and of positions, the norms, and for every block its attention (query,
# key and value beside each other, then the way out) and its two feed-forward layers.
WEIGHTS: Final = (
    "items",
    "positions",
    "norm_scales",
    "norm_shifts",
    "attention_in",
    "attention_in_bias",
    "attention_out",
    "attention_out_bias",
    "feed_in",
    "feed_in_bias",
    "feed_out",
    "feed_out_bias",
)
EPSILON: Final = np.float32(1e-5)  # of the norms, as torch has it


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """Settings of the sequence model. It is learnt only where `enabled`, with the extra `neural`."""

    enabled: bool = False
    dimension: int = 64
    blocks: int = 2
    heads: int = 2
    widening: int = 1  # of the feed-forward layers, over the dimension
    length: int = 100  # of a history's latest entries so many are looked at
    dropout: float = 0.2
    negatives: int = 512  # items drawn for each batch, against which all its steps are told
    batch: int = 3_200  # steps of a batch, about
    learning_rate: float = 0.003
    epochs: int = 40  # at most
    questions: int = 2_000  # users at most whose last event is kept back, to see when to stop
    patience: int = 3  # epochs without a gain there, after which the learning rate falls; after the third time it ends
    minutes: float = 60.0  # at most for a fit's first network; the two that go on from it have a quarter each

    def __post_init__(self) -> None:
        if min(self.dimension, self.blocks, self.heads, self.widening, self.length, self.batch) < 1:
            raise ValueError("dimension, blocks, heads, widening, length and batch are 1 or more")
        if self.negatives < 2:
            raise ValueError("negatives is 2 or more: one of them may be what is wanted")
        if self.dimension % self.heads:
            raise ValueError("dimension is a multiple of heads")
        if min(self.epochs, self.questions, self.patience) < 1 or self.minutes <= 0 or self.learning_rate <= 0:
            raise ValueError("epochs, questions and patience are 1 or more, minutes and learning_rate above 0")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout lies from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Network:
    """What a fit learnt, applied to one user's latest items."""

    weights: Mapping[str, Float32]  # by WEIGHTS; items that nobody took are rows of zeros
    heads: int

    @classmethod
    def of(cls, bundle: BundleData) -> Network | None:
        """None: the bundle was fitted without one."""
        if "sequence" not in bundle.config:
            return None
        config = settings_of(bundle, "sequence", SequenceConfig)
        return cls.read(bundle, config.heads) if config.enabled else None

    @classmethod
    def read(cls, bundle: BundleData, heads: int) -> Network:
        return cls({name: bundle.array(f"sequence_{name}") for name in WEIGHTS}, heads)

    def add_to(self, parts: Parts) -> None:
        for name in WEIGHTS:
            parts.arrays[f"sequence_{name}"] = self.weights[name]

    @property
    def items(self) -> Float32:
        """What a state is multiplied with for the score of each item."""
        return self.weights["items"]

    @property
    def dimension(self) -> int:
        return int(self.items.shape[1])

    @property
    def length(self) -> int:
        return len(self.weights["positions"])

    def embed(self, histories: Sequence[History], rows: Mapping[str, int]) -> Float32:
        """A state each (n, d); zeros where nothing that is known was liked. `rows`: of every item."""
        found = np.zeros((len(histories), self.dimension), np.float32)
        for place, history in enumerate(histories):
            latest = self._latest(history, rows)
            if len(latest):
                found[place] = self.state(latest)
        return found

    def _latest(self, history: History, rows: Mapping[str, int]) -> Int64:
        """The rows of the latest entries that were wished for, oldest first: of the same kind as it learns from."""
        latest = zip(history.item_ids[:HISTORY_LIMIT], history.weights[:HISTORY_LIMIT].tolist(), strict=True)
        taken = [rows[item] for item, weight in latest if weight > 0 and item in rows]
        known = np.array(taken, np.int64)
        return known[self.items[known].any(axis=1)][: self.length][::-1]

    def state(self, latest: Int64) -> Float32:
        """What comes after these rows of items, oldest first; at most `length` of them."""
        weights = self.weights
        x = self.items[latest] * np.sqrt(np.float32(self.dimension)) + weights["positions"][: len(latest)]
        blocks = len(weights["attention_out"])
        for block in range(blocks):
            normed = self._normed(2 * block, x)
            x = x[-1:] if block == blocks - 1 else x  # of the last block only the last state is wanted
            x = x + self._attention(block, normed, len(x))
            wide = self._normed(2 * block + 1, x) @ weights["feed_in"][block] + weights["feed_in_bias"][block]
            x = x + np.maximum(wide, 0) @ weights["feed_out"][block] + weights["feed_out_bias"][block]
        return np.asarray(self._normed(-1, x[-1:])[0], np.float32)

    def _attention(self, block: int, x: Float32, asking: int) -> Float32:
        """For the last `asking` places: each looks at itself and those before it."""
        weights, (length, d) = self.weights, x.shape
        joined = x @ weights["attention_in"][block] + weights["attention_in_bias"][block]
        query, key, value = joined.reshape(length, 3, self.heads, d // self.heads).transpose(1, 2, 0, 3)
        scores = query[:, -asking:] @ key.transpose(0, 2, 1) / np.sqrt(np.float32(d // self.heads))
        scores[:, ~np.tri(asking, length, length - asking, dtype=np.bool_)] = -np.inf
        shares = np.exp(scores - scores.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        seen = (shares @ value).transpose(1, 0, 2).reshape(asking, d)
        return np.asarray(seen @ weights["attention_out"][block] + weights["attention_out_bias"][block], np.float32)

    def _normed(self, which: int, x: Float32) -> Float32:
        centred = x - x.mean(axis=1, keepdims=True)
        scale = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + EPSILON)
        return np.asarray(centred / scale * self.weights["norm_scales"][which] + self.weights["norm_shifts"][which])


def vectors_of(bundle: BundleData, rows: Int64) -> Float32:
    """What scores these items; a column of zeros where the bundle was fitted without a network."""
    network = Network.of(bundle)
    return np.zeros((len(rows), 1), np.float32) if network is None else np.array(network.items[rows])
