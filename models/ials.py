"""iALS: factors of items from who took them, and the fold-in that places a user by what they took.

After Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (2022):
every pair that was not observed counts as zero with a small weight, and the regularisation of a row grows with how
often it was observed. Each half of a step is solved exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from models.data import Float32, Int32
from models.sparse import Int64, Matrix

# Rows of a batch times the length of its longest: bounds the gathered factors at d * 4 bytes * this (64 MB for d = 64).
BATCH_ELEMENTS = 250_000
BATCH_ROWS = 2_000  # d * d * 4 bytes * this: 32 MB for d = 64
FEW = 10  # entries from which a history speaks for itself


@dataclass(frozen=True, slots=True)
class IalsConfig:
    """Settings of iALS; the figures are NDCG@10 on a validation slice of ml-latest-small."""

    dimension: int = 64
    steps: int = 12
    unobserved_weight: float = 0.1  # .05 and .2 were worse
    regularization: float = 0.01  # .133 without decay; .005 gave .128, .02 .124
    frequency_exponent: float = 1.0
    deviation: float = 0.1  # of the first factors, over the root of the dimension
    # Entries of a history after which one counts half in the fold-in; 0: all count the same. 10 to 20 gave up to .140.
    half_life: float = 20.0
    # How much the mean user weighs in the fold-in of a history of one or two entries, and of a few. Without it such
    # users are served worse than by popularity.
    prior_of_two: float = 5.0
    prior_of_few: float = 1.0

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.steps < 1 or self.half_life < 0 or self.regularization <= 0:
            raise ValueError("dimension and steps are 1 or more, half_life is 0 or more, regularization is above 0")
        if self.unobserved_weight <= 0:
            raise ValueError("unobserved_weight is above 0")

    def prior(self, entries: int) -> float:
        """The weight of the mean user beside so many entries."""
        if entries <= 2:
            return self.prior_of_two
        return self.prior_of_few if entries < FEW else 0.0


@dataclass(frozen=True, slots=True)
class Solver:
    """Solves rows against the fixed factors of the other side."""

    factors: Float32
    gram: Float32  # unobserved_weight * factors' factors
    config: IalsConfig

    @classmethod
    def on(cls, factors: Float32, config: IalsConfig) -> Solver:
        return cls(factors, np.float32(config.unobserved_weight) * (factors.T @ factors), config)

    def penalty(self, observed: Float32 | float) -> Float32:
        """The regularisation of rows with so many observations."""
        pairs = observed + self.config.unobserved_weight * len(self.factors)
        return np.asarray(self.config.regularization * pairs**self.config.frequency_exponent, np.float32)

    def rows(self, taken: Matrix, done: Callable[[int], None]) -> Float32:
        """Every row of a matrix of signed weights: above zero a wish for one, below zero for zero."""
        solved = np.zeros((taken.shape[0], self.factors.shape[1]), np.float32)
        counts = np.diff(taken.indptr)
        for batch in _batches(counts):
            solved[batch] = self._batch(taken, batch, counts[batch])
            done(len(batch))
        return solved

    def _batch(self, taken: Matrix, batch: Int64, counts: Int64) -> Float32:
        """Rows of several lengths as one array, filled up with weights of zero."""
        places = np.arange(counts.max())
        inside = places < counts[:, None]
        elements = np.where(inside, taken.indptr[batch][:, None] + places, 0)
        weights = np.where(inside, taken.data[elements], np.float32(0))
        factors = self.factors[taken.indices[elements]]
        left = np.matmul(factors.transpose(0, 2, 1), factors * np.abs(weights)[:, :, None]) + self.gram
        diagonal = np.arange(len(self.gram))
        left[:, diagonal, diagonal] += self.penalty(counts.astype(np.float32))[:, None]
        right = np.matmul(np.maximum(weights, 0)[:, None, :], factors)[:, 0]
        return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0], np.float32)

    def fold_in(self, items: Int32, weights: Float32, mean: Float32) -> Float32:
        """One new row, drawn to the `mean` row where it has few entries."""
        factors = self.factors[items]
        left = (factors * np.abs(weights)[:, None]).T @ factors + self.gram
        prior = np.float32(self.config.prior(len(items)))
        left[np.diag_indices_from(left)] += self.penalty(float(len(items))) + prior
        right = np.maximum(weights, 0) @ factors + prior * mean
        return np.asarray(np.linalg.solve(left, right), np.float32)


@dataclass(frozen=True, slots=True)
class Factors:
    """What a fit gives."""

    users: Float32
    items: Float32
    mean_user: Float32


def fit(taken: Matrix, config: IalsConfig, rng: np.random.Generator, done: Callable[[int], None]) -> Factors:
    """Users by items with signed weights to factors; `done` is told of every row solved."""
    deviation = config.deviation / np.sqrt(config.dimension)
    items = rng.normal(0, deviation, (taken.shape[1], config.dimension)).astype(np.float32)
    by_item = taken.T.tocsr()
    for _ in range(config.steps):
        users = Solver.on(items, config).rows(taken, done)
        items = Solver.on(users, config).rows(by_item, done)
    users = Solver.on(items, config).rows(taken, done)
    known = users[np.diff(taken.indptr) > 0]
    mean = known.mean(axis=0) if len(known) else np.zeros(config.dimension, np.float32)
    return Factors(users, items, mean.astype(np.float32))


def rows_to_solve(taken: Matrix, config: IalsConfig) -> int:
    """How often `fit` calls back, in rows."""
    users = int((np.diff(taken.indptr) > 0).sum())
    return config.steps * (users + len(np.unique(taken.indices))) + users


def _batches(counts: Int64) -> Iterator[Int64]:
    """The numbers of rows that have observations, those of similar counts together."""
    order = np.argsort(counts, kind="stable").astype(np.int64)
    order = order[counts[order] > 0]
    end = len(order)
    while end > 0:
        size = max(1, min(end, BATCH_ELEMENTS // int(counts[order[end - 1]]), BATCH_ROWS))
        yield order[end - size : end]
        end -= size
