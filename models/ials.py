"""iALS: factors of items from who took them, and the fold-in that places a user by what they took.

After Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (2022):
every pair that was not observed counts as zero with a small weight, and the regularisation of a row grows with how
often it was observed. While both sides still move, a row goes some steps of conjugate gradients from where it stood
(Takacs, Pilaszy, Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering",
2011); what is kept is solved exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.data import Float32, Int32
from models.least_squares import batches, gathered, improve, solve_few, solve_many
from models.sparse import Int64, Matrix

# Of conjugate gradients, each time: as exact ones did, ten steps of iALS gave ml-1m .410, with 2 of these .409.
GRADIENT_STEPS: Final = 3
FEW = 10  # entries from which a history speaks for itself
# Weights of what was not observed, and regularisations as shares of what `strength` finds, from strong to weak. NDCG
# (mean of 10 and 50) on validation slices: a random fifth of dense ratings .220 with the first, .211 with the second;
# check-ins in 40,000 places .109 with the last, .088 with the second; ml-latest-small .167, .169, .170 and .167.
STRENGTHS: Final = ((0.2, 0.03), (0.1, 0.015), (0.03, 0.0075), (0.01, 0.004), (0.003, 0.002))
USUAL: Final = STRENGTHS[1]  # holds where nothing can be measured
LEAST_REGULARIZATION = 1e-9  # where no weight is above zero there is no strength


@dataclass(frozen=True, slots=True)
class IalsConfig:
    """Settings of iALS; the figures are NDCG@10 on a validation slice of ml-latest-small."""

    dimension: int = 64
    steps: int = 10  # more than 6 gained nothing
    unobserved_weight: float | None = None  # None: chosen among STRENGTHS on validation
    regularization: float | None = None  # None: `regularization_share` of what `strength` finds
    regularization_share: float | None = None  # None: chosen with the weight
    frequency_exponent: float = 1.0  # as in the paper
    deviation: float = 0.1  # of the first factors, over the root of the dimension; as in the paper
    half_life: float | None = None  # of a history's entries in the fold-in; None: chosen among HALF_LIVES on validation
    # How strongly an item is drawn to where its text lets expect it. 3 gave .141, none .137, 1 .140, 10 .141.
    text_pull: float = 3.0
    # How much the mean user weighs in the fold-in of fewer than FEW entries. 1 gave users cut to one entry .119, none
    # gave .103, 5 .102; with two and with three entries the order was the same.
    prior: float = 1.0

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.steps < 1 or (self.half_life or 0) < 0:
            raise ValueError("dimension and steps are 1 or more, half_life is 0 or more")
        if self.regularization is not None and self.regularization <= 0:
            raise ValueError("regularization is above 0")
        if self.text_pull < 0 or self.prior < 0:
            raise ValueError("text_pull and prior are 0 or more")
        if any(number is not None and number <= 0 for number in (self.unobserved_weight, self.regularization_share)):
            raise ValueError("unobserved_weight and regularization_share are above 0")

    @property
    def unobserved(self) -> float:
        """The weight of what was not observed that holds."""
        return USUAL[0] if self.unobserved_weight is None else self.unobserved_weight

    @property
    def share(self) -> float:
        """The share of the strength that holds."""
        return USUAL[1] if self.regularization_share is None else self.regularization_share


def settled(config: IalsConfig, taken: Matrix) -> IalsConfig:
    """The settings with a regularisation that suits users by items with signed weights, where none is set."""
    return config if config.regularization is not None else settled_by(config, strength(taken, config))


def settled_by(config: IalsConfig, strength: float) -> IalsConfig:
    return replace(config, regularization=max(config.share * strength, LEAST_REGULARIZATION))


def strength(taken: Matrix, config: IalsConfig) -> float:
    """The Frobenius norm of the wishes, each over the roots of what the penalties of its row and column grow with.

    Factors stay zero where the regularisation is above the singular values of that matrix, so that one number cannot
    serve sparse and dense data, or views and purchases.
    """
    of_item = np.bincount(taken.indices, minlength=taken.shape[1])
    return float(np.sqrt(strengths_squared(taken, of_item, taken.shape[0], config)))


def strengths_squared(taken: Matrix, of_item: Int64, users: int, config: IalsConfig) -> float:
    """What some of all `users` add to the square of the norm; `of_item`: how many of all took each item."""
    of_user = np.diff(taken.indptr)
    pairs = np.repeat(of_user, of_user) + config.unobserved * taken.shape[1]
    pairs = pairs * (of_item[taken.indices] + config.unobserved * users)
    return float(np.sum(np.maximum(taken.data, 0).astype(np.float64) ** 2 / pairs**config.frequency_exponent))


@dataclass(frozen=True, slots=True)
class Solver:
    """Solves rows against the fixed factors of the other side."""

    factors: Float32
    gram: Float32  # unobserved_weight * factors' factors
    config: IalsConfig
    others: int | None = None  # rows of the other side, where `factors` are only those that are needed

    @classmethod
    def on(cls, factors: Float32, config: IalsConfig) -> Solver:
        return cls(factors, np.float32(config.unobserved) * (factors.T @ factors), config)

    def penalty(self, observed: Float32 | float) -> Float32:
        """The regularisation of rows with so many observations."""
        if self.config.regularization is None:
            raise ValueError("the regularization is not settled")
        others = len(self.factors) if self.others is None else self.others
        pairs = observed + self.config.unobserved * others
        return np.asarray(self.config.regularization * pairs**self.config.frequency_exponent, np.float32)

    def rows(
        self,
        taken: Matrix,
        done: Callable[[int], None],
        expected: Float32 | None = None,
        pull: float = 0.0,
        start: Float32 | None = None,
    ) -> Float32:
        """Every row that has observations, from signed weights: above zero a wish for one, below zero for zero.

        Each row is drawn with the strength `pull` to its row of `expected`. With a `start` rows are improved from
        there, without one they are solved exactly.
        """
        solved = np.zeros((taken.shape[0], self.factors.shape[1]), np.float32)
        spectrum, basis = (part.astype(np.float32) for part in np.linalg.eigh(self.gram.astype(np.float64)))
        spectrum, turned = np.maximum(spectrum, 0), self.factors @ basis
        counts = np.diff(taken.indptr)
        for batch in batches(counts):
            drawn = np.float32(pull) * (solved if expected is None else expected)[batch]
            penalty = self.penalty(counts[batch].astype(np.float32)) + np.float32(pull)
            if start is None and counts[batch].max() > len(basis) // 2:
                solved[batch] = solve_many(*gathered(self.factors, taken, batch), penalty, drawn, self.gram)
            else:  # in the basis where the gram matrix is diagonal
                told = *gathered(turned, taken, batch), penalty[:, None] + spectrum, drawn @ basis
                found = solve_few(*told) if start is None else improve(start[batch] @ basis, *told, GRADIENT_STEPS)
                solved[batch] = found @ basis.T
            done(len(batch))
        return solved

    def fold_in(self, items: Int32, weights: Float32, mean: Float32) -> Float32:
        """One new row, drawn to the `mean` row where it has few entries."""
        factors = self.factors[items]
        left = (factors * np.abs(weights)[:, None]).T @ factors + self.gram
        prior = np.float32(self.config.prior if len(items) < FEW else 0)
        left[np.diag_indices_from(left)] += self.penalty(float(len(items))) + prior
        right = np.maximum(weights, 0) @ factors + prior * mean
        return np.asarray(np.linalg.solve(left, right), np.float32)


def fit(
    taken: Matrix, config: IalsConfig, rng: np.random.Generator, done: Callable[[int], None]
) -> tuple[Float32, Float32]:
    """Users by items with signed weights to the factors of both; `done` is told of every row solved."""
    *_, last = improved(taken, config, rng, done)
    return last


def improved(
    taken: Matrix, config: IalsConfig, rng: np.random.Generator, done: Callable[[int], None]
) -> Iterator[tuple[Float32, Float32]]:
    """The factors of users and items after each step, from random ones of items on."""
    deviation = config.deviation / np.sqrt(config.dimension)
    items = rng.normal(0, deviation, (taken.shape[1], config.dimension)).astype(np.float32)
    users = np.zeros((taken.shape[0], config.dimension), np.float32)
    by_item = taken.T.tocsr()
    for _ in range(config.steps):
        users = Solver.on(items, config).rows(taken, done, start=users)
        items = Solver.on(users, config).rows(by_item, done, start=items)
        yield users, items


@dataclass(frozen=True, slots=True)
class Factors:
    """What serving needs of a fit."""

    items: Float32
    gram: Float32  # of the items that were taken
    mean_user: Float32


def finish(taken: Matrix, users: Float32, expected: Float32, config: IalsConfig) -> Factors:
    """The items once more, drawn to where their texts let expect them (`expected`); those nobody took stand there."""
    by_item = taken.T.tocsr()
    items = Solver.on(users, config).rows(by_item, _silent, expected, config.text_pull)
    solver = Solver.on(items, config)
    known = solver.rows(taken, _silent)[np.diff(taken.indptr) > 0]
    mean = known.mean(axis=0) if len(known) else np.zeros(config.dimension)
    learned = np.diff(by_item.indptr) > 0
    return Factors(np.where(learned[:, None], items, expected), solver.gram, mean.astype(np.float32))


def rows_to_solve(taken: Matrix, config: IalsConfig) -> int:
    """How many rows `fit` solves."""
    return config.steps * int((np.diff(taken.indptr) > 0).sum() + len(np.unique(taken.indices)))


def _silent(rows: int) -> None:
    pass
