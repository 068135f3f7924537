"""Transitions: what users took in the steps after an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.data import Float32, History, Interactions
from models.sparse import Int64, Matrix, Rows, best_of_rows, largest, matrix, row_blocks, row_numbers

# Windows and their decays, the one first that holds where nothing can be measured. Ratings entered in one sitting want
# the long one (.151, .139 and .124 in this order), films in order of viewing the short one (.150, .155, .157 with the
# short memory below), purchases hardly differ.
SHAPES: Final = ((20, 0.9), (10, 0.85), (10, 0.7))
# Entries of a history and their decays, likewise. The third suits data whose order says little.
ASKED: Final = ((8, 0.85), (8, 0.7), (20, 0.95))


@dataclass(frozen=True, slots=True)
class TransitionsConfig:
    """Settings of transitions; the figures are NDCG@10 on a validation slice of ml-latest-small.

    What is None a fit chooses on its validation slice, from SHAPES and ASKED.
    """

    neighbours: int = 200
    window: int | None = None  # steps after an item that count
    decay: float | None = None  # of what a step counts, for every step between
    popularity_exponent: float = 0.3  # targets are divided by their count to this power; .5 was worse
    # What follows an item is divided by its own count to this power, else the popular entries of a history drown the
    # others. Without it .149; on films in order of viewing and on purchases .4 gave 4 % more than none.
    source_exponent: float = 0.4
    last: int | None = None  # entries of a history that are looked at
    last_decay: float | None = None  # of what an entry counts, for every place it lies back

    def __post_init__(self) -> None:
        if any(number is not None and number < 1 for number in (self.neighbours, self.window, self.last)):
            raise ValueError("neighbours, window and last are 1 or more")
        if any(share is not None and not 0 < share <= 1 for share in (self.decay, self.last_decay)):
            raise ValueError("decay and last_decay lie above 0 and at most at 1")

    @property
    def shape(self) -> tuple[int, float]:
        """The window and its decay."""
        window, decay = SHAPES[0]
        return self.window or window, self.decay or decay

    @property
    def asked(self) -> tuple[int, float]:
        """How many of a history's last entries count, and their decay."""
        last, decay = ASKED[0]
        return self.last or last, self.last_decay or decay


def fit(data: Interactions, config: TransitionsConfig, done: Callable[[int], None]) -> Rows:
    """Followers of every item, from interactions in order of user and time."""
    items = len(data.item_ids)
    followed = counts(data, config)
    hold_back(followed, np.arange(items), np.bincount(data.items, minlength=items), config)
    found = []
    for block in row_blocks(items):
        found.append(largest(followed[block], config.neighbours, block.start))
        done(block.stop - block.start)
    return best_of_rows(found, items)


def hold_back(followed: Matrix, items: Int64, taken: Int64, config: TransitionsConfig) -> None:
    """Divides counts in place by how often source and target were taken; row r is of `items[r]`."""
    popularity = np.maximum(taken, 1).astype(np.float32)
    of_target = popularity ** np.float32(-config.popularity_exponent)
    of_source = popularity ** np.float32(-config.source_exponent)
    followed.data *= of_target[followed.indices] * of_source[items[row_numbers(followed)]]


def counts(data: Interactions, config: TransitionsConfig) -> Matrix:
    """(item, what came after it): decayed counts. Disliked items follow nothing."""
    items = len(data.item_ids)
    shape = (items, items)
    total = matrix(data.items[:0], data.items[:0], data.weights[:0], shape)
    wished = np.maximum(data.weights, 0)
    window, decay = config.shape
    for step in range(1, min(window + 1, len(data))):
        same = (data.users[:-step] == data.users[step:]) & (wished[step:] > 0)
        values = wished[step:][same] * np.float32(decay ** (step - 1))
        total = total + matrix(data.items[:-step][same], data.items[step:][same], values, shape)
    return total


def query_weights(history: History, config: TransitionsConfig) -> Float32:
    """What each of the last entries adds: by its place, and nothing where it was disliked.

    How much one was liked does not matter: with weights the figure falls from .151 to .144.
    """
    last, decay = config.asked
    places = np.arange(min(len(history), last), dtype=np.float32)
    liked = history.weights[: len(places)] >= 0
    return np.asarray(np.float32(decay) ** places * liked, np.float32)
