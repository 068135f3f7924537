"""Transitions: what users took in the steps after an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.data import Float32, History, Interactions
from models.sparse import Matrix, Rows, best_of_rows, largest, matrix, row_blocks, row_numbers


@dataclass(frozen=True, slots=True)
class TransitionsConfig:
    """Settings of transitions; the figures are NDCG@10 on a validation slice of ml-latest-small.

    Window, decays and the exponent of sources are a compromise: other sets of data in order want a shorter window.
    """

    neighbours: int = 200
    window: int = 20  # steps after an item that count: 20 with decay .9 or .95 gave .151, 10 with .85 gave .140
    decay: float = 0.9  # of what a step counts, for every step between
    popularity_exponent: float = 0.3  # targets are divided by their count to this power; .5 was worse
    # What follows an item is divided by its own count to this power, else the popular entries of a history drown the
    # others. Without it .149; on films in order of viewing and on purchases .4 gave 4 % more than none.
    source_exponent: float = 0.4
    last: int = 8  # entries of a history that are looked at, .151; 20 of them .150, and less in a blend
    last_decay: float = 0.85  # of what an entry counts, for every place it lies back; .8 gave .150

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.window < 1 or self.last < 1:
            raise ValueError("neighbours, window and last are 1 or more")
        if not (0 < self.decay <= 1 and 0 < self.last_decay <= 1):
            raise ValueError("decay and last_decay lie above 0 and at most at 1")


def fit(data: Interactions, config: TransitionsConfig, done: Callable[[int], None]) -> Rows:
    """Followers of every item, from interactions in order of user and time."""
    items = len(data.item_ids)
    counts = _counts(data, config)
    popularity = np.maximum(np.bincount(data.items, minlength=items), 1).astype(np.float32)
    of_target = popularity ** np.float32(-config.popularity_exponent)
    of_source = popularity ** np.float32(-config.source_exponent)
    counts.data *= of_target[counts.indices] * of_source[row_numbers(counts)]
    found = []
    for block in row_blocks(items):
        found.append(largest(counts[block], config.neighbours, block.start))
        done(block.stop - block.start)
    return best_of_rows(found, items)


def _counts(data: Interactions, config: TransitionsConfig) -> Matrix:
    """(item, what came after it): decayed counts. Disliked items follow nothing."""
    items = len(data.item_ids)
    shape = (items, items)
    total = matrix(data.items[:0], data.items[:0], data.weights[:0], shape)
    wished = np.maximum(data.weights, 0)
    for step in range(1, min(config.window + 1, len(data))):
        same = (data.users[:-step] == data.users[step:]) & (wished[step:] > 0)
        values = wished[step:][same] * np.float32(config.decay ** (step - 1))
        total = total + matrix(data.items[:-step][same], data.items[step:][same], values, shape)
    return total


def query_weights(history: History, config: TransitionsConfig) -> Float32:
    """What each of the last entries adds: by its place, and nothing where it was disliked.

    How much one was liked does not matter: with weights the figure falls from .151 to .144.
    """
    places = np.arange(min(len(history), config.last), dtype=np.float32)
    liked = history.weights[: len(places)] >= 0
    return np.asarray(np.float32(config.last_decay) ** places * liked, np.float32)
