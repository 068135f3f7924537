"""EASE: a linear model that tells every item from all the others, as the inner products of two small vectors an item.

After Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019): the weights of the ridge regression of all
items on one another without themselves have a closed form. They are kept as their truncated singular value
decomposition, so that a query is the sum of a history's vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from models.bundle import BundleData
from models.data import Float32, Int32
from models.sparse import Int64, Matrix
from models.vectors import inner_products
from models.writer import Parts


@dataclass(frozen=True, slots=True)
class EaseConfig:
    """Settings of EASE."""

    dimension: int = 64
    # 100 to 300 suited ratings with weights, 300 those that all count one.
    regularization: float = 300.0
    # The most taken ones have a place in it. The work grows with the cube of their number and the memory with the
    # square: 8,000 take five seconds and 0.8 GB.
    most_items: int = 8_000
    least_taken: int = 5  # by so many users: what is told by fewer is chance
    half_life: float | None = None  # of a history's entries; None: chosen among HALF_LIVES on validation

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.regularization <= 0 or self.least_taken < 1:
            raise ValueError("dimension and least_taken are 1 or more, regularization is above 0")
        if self.most_items < 0 or (self.half_life or 0) < 0:
            raise ValueError("most_items and half_life are 0 or more")


@dataclass(frozen=True, slots=True)
class Ease:
    """The items that have a place, ascending, and the two vectors of each."""

    items: Int32
    queries: Float32  # what one adds to a query as part of a history
    targets: Float32  # what the query is multiplied with for its score

    @classmethod
    def of(cls, bundle: BundleData) -> Ease:
        return cls(*(bundle.array(f"ease_{part}") for part in ("items", "queries", "targets")))

    def add_to(self, parts: Parts) -> None:
        parts.arrays["ease_items"] = self.items
        parts.arrays["ease_queries"] = self.queries
        parts.arrays["ease_targets"] = self.targets


class EaseOfShard:
    """What a history says of a shard's own items."""

    def __init__(self, ease: Ease, own: Int64, width: int) -> None:
        """`own`: the rows of the items, of all `width` of the bundle."""
        self._place = np.full(width, -1, np.int32)
        self._place[ease.items] = np.arange(len(ease.items), dtype=np.int32)
        self._queries = ease.queries
        self._columns = np.flatnonzero(self._place[own] >= 0)
        self._targets = np.array(ease.targets[self._place[own[self._columns]]])
        self._own = len(own)

    def scores(self, known: Int32, weights: Float32) -> Float32 | None:
        """For every own item, zero for those without a place; None: no entry of the history has one.

        `known`: the row of each entry, -1: none.
        """
        entries = np.flatnonzero(known >= 0)
        places = self._place[known[entries]]
        entries, places = entries[places >= 0], places[places >= 0]
        if not len(entries):
            return None
        found = np.zeros(self._own, np.float32)
        found[self._columns] = inner_products(self._targets, weights[entries] @ self._queries[places])
        return found


def fit(taken: Matrix, config: EaseConfig, rng: np.random.Generator) -> Ease:
    """From users by items with signed weights; dislikes do not count."""
    wished = taken.copy()
    wished.data = np.maximum(wished.data, 0)
    wished.eliminate_zeros()
    items = chosen(np.bincount(wished.indices, minlength=wished.shape[1]), config)
    part = wished[:, items]
    return of_gram(items, np.asfortranarray((part.T @ part).toarray(), np.float32), config, rng)


def of_gram(items: Int32, gram: Float32, config: EaseConfig, rng: np.random.Generator) -> Ease:
    """From the inner products of the items' columns, which are overwritten."""
    dimension = min(config.dimension, len(items))
    if not dimension:
        return Ease(items, np.zeros((0, config.dimension), np.float32), np.zeros((0, config.dimension), np.float32))
    left, right = _condensed(_weights(gram, config.regularization), dimension, rng)
    return Ease(items, left, right)


def chosen(counts: Int64, config: EaseConfig) -> Int32:
    """The items most often taken, the smaller numbers among equals, ascending."""
    enough = int((counts >= config.least_taken).sum())
    best = np.argsort(-counts, kind="stable")[: min(config.most_items, enough)]
    return np.sort(best).astype(np.int32)


def _weights(gram: Float32, regularization: float) -> Float32:
    """B = I - P / diag(P) with P the inverse of X'X + regularization I."""
    gram[np.diag_indices_from(gram)] += np.float32(regularization)
    factor, failed = lapack.spotrf(gram, overwrite_a=True)
    inverse, failed_too = lapack.spotri(factor, overwrite_c=True)  # its upper triangle
    if failed or failed_too:
        raise ValueError("EASE cannot be solved with this regularization; set a larger one")
    inverse = np.triu(inverse)
    inverse += np.triu(inverse, 1).T
    inverse /= -np.diag(inverse).copy()
    inverse[np.diag_indices_from(inverse)] = 0
    return np.asarray(inverse, np.float32)


def _condensed(weights: Float32, dimension: int, rng: np.random.Generator) -> tuple[Float32, Float32]:
    """The leading singular triplets, by a randomized decomposition as `content.fit_projection` has it."""
    width = min(dimension + 16, len(weights))
    basis = weights @ rng.normal(size=(len(weights), width)).astype(np.float32)
    for _ in range(4):
        basis = weights @ (weights.T @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis)[0]
    left, sizes, right = np.linalg.svd(basis.T @ weights, full_matrices=False)
    roots = np.sqrt(sizes[:dimension])
    queries = np.asarray((basis @ left[:, :dimension]) * roots, np.float32)
    return queries, np.ascontiguousarray((roots[:, None] * right[:dimension]).T, np.float32)
