"""RP3beta: items a random walk of three steps reaches from an item, the popular ones held back.

After Paudel, Christoffel, Newell, Bernstein, "Updatable, Accurate, Diverse, and Scalable Recommendations for
Interactive Applications" (2016): item to user to item, each step's probability to the power alpha, and the target
divided by its count to the power beta.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.data import Float32, Float64
from models.sparse import Int64, Matrix, Rows, best_of_rows, largest, row_blocks, row_numbers

# The one first that holds where nothing can be measured. On parts of learning parts .3 suits check-ins best (NDCG@20
# .146; .2 gave .145), .4 suits ml-latest-small.
BETAS: Final = (0.2, 0.3, 0.4, 0.6)


@dataclass(frozen=True, slots=True)
class Rp3BetaConfig:
    """Settings of RP3beta."""

    neighbours: int = 200
    # On the parts that tuning sees 1 gave ml-latest-small .124 NDCG@10 instead of .131, check-ins .092 NDCG@20 instead
    # of .110.
    alpha: float = 0.6
    beta: float | None = None  # None: chosen among BETAS on validation
    half_life: float | None = None  # of a history's entries; None: chosen among HALF_LIVES on validation

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.alpha <= 0 or (self.beta or 0) < 0 or (self.half_life or 0) < 0:
            raise ValueError("neighbours is 1 or more, alpha above 0, beta and half_life are 0 or more")

    @property
    def held_back(self) -> float:
        """The beta that holds."""
        return BETAS[0] if self.beta is None else self.beta


def fit(taken: Matrix, config: Rp3BetaConfig, done: Callable[[int], None]) -> Rows:
    """What is reached from every item, from users by items with signed weights; dislikes are no steps."""
    wished = wishes(taken)
    totals = np.bincount(wished.indices, wished.data, wished.shape[1]).astype(np.float64)
    from_item, from_user = steps(wished, totals, config)
    found = []
    for block in row_blocks(wished.shape[1]):
        reached = from_item[block] @ from_user
        hold_back(reached, np.arange(block.start, block.stop), totals, config)
        found.append(largest(reached, config.neighbours, block.start))
        done(reached.shape[0])
    return best_of_rows(found, wished.shape[1])


def wishes(taken: Matrix) -> Matrix:
    """What was taken without dislikes."""
    wished = taken.copy()
    wished.data = np.maximum(wished.data, 0)
    wished.eliminate_zeros()
    return wished


def steps(wished: Matrix, totals: Float64, config: Rp3BetaConfig) -> tuple[Matrix, Matrix]:
    """From items to users and from users to items; `totals`: of every item what all users took of it."""
    of_users = np.bincount(row_numbers(wished), wished.data, wished.shape[0]).astype(np.float64)
    return _steps(wished.T.tocsr(), totals, config.alpha), _steps(wished, of_users, config.alpha)


def hold_back(reached: Matrix, items: Int64, totals: Float64, config: Rp3BetaConfig) -> None:
    """Divides what was reached by how much it was taken, in place; row r is of `items[r]`, without itself."""
    held_back = np.maximum(totals, 1e-9).astype(np.float32) ** np.float32(-config.held_back)
    reached.data *= held_back[reached.indices]
    reached.data[items[row_numbers(reached)] == reached.indices] = 0


def _steps(wished: Matrix, totals: Float64, alpha: float) -> Matrix:
    """The probabilities of a step from a row to its columns, to the power alpha."""
    found = wished.copy()
    shares: Float32 = (wished.data / totals[row_numbers(wished)]).astype(np.float32)
    found.data = shares ** np.float32(alpha)
    return found
