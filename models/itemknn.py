"""Item-kNN: the items most often taken by the same users, by cosine with shrinkage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.data import Float32
from models.sparse import Int64, Matrix, Rows, best_of_rows, largest, row_blocks, row_numbers


@dataclass(frozen=True, slots=True)
class ItemKnnConfig:
    """Settings of item-kNN."""

    neighbours: int = 200
    # Added to the product of the norms: pairs that few users support count less. On a validation slice of
    # ml-latest-small 5 gave NDCG@10 .134, 0 .126, 20 .133.
    shrinkage: float = 5.0
    half_life: float | None = None  # of a history's entries; None: chosen among HALF_LIVES on validation

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.shrinkage < 0 or (self.half_life or 0) < 0:
            raise ValueError("neighbours is 1 or more, shrinkage and half_life are 0 or more")


def fit(taken: Matrix, config: ItemKnnConfig, done: Callable[[int], None]) -> Rows:
    """The neighbours of every item, from users by items with signed weights."""
    by_item = taken.T.tocsr()
    norms = np.sqrt(by_item.multiply(by_item).sum(axis=1)).astype(np.float32)
    found = []
    for block in row_blocks(taken.shape[1]):
        similar = by_item[block] @ taken
        normalise(similar, np.arange(block.start, block.stop), norms, config)
        found.append(largest(similar, config.neighbours, block.start))
        done(similar.shape[0])
    return best_of_rows(found, taken.shape[1])


def normalise(similar: Matrix, items: Int64, norms: Float32, config: ItemKnnConfig) -> None:
    """Makes cosines with shrinkage of inner products, in place; row r is of `items[r]`, no neighbour of itself."""
    rows = items[row_numbers(similar)]
    similar.data /= norms[rows] * norms[similar.indices] + np.float32(config.shrinkage) + np.float32(1e-9)
    similar.data[rows == similar.indices] = 0
