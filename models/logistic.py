"""Logistic regression with an L2 penalty on sparse rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b
from scipy.special import expit

from models.data import Float32, Float64
from models.sparse import Matrix

STEPS: Final = 100  # of L-BFGS at most: the fits of whole data sets took 20 to 40
CORRECTIONS: Final = 10  # pairs of vectors L-BFGS keeps, as is usual


@dataclass(frozen=True, slots=True)
class Line:
    """A weight for each column and an offset; above zero speaks for yes."""

    weights: Float32
    offset: float

    def of(self, rows: Matrix) -> Float32:
        return np.asarray(rows @ self.weights + np.float32(self.offset), np.float32)


def fit(rows: Matrix, yes: NDArray[np.bool_], strength: float) -> Line:
    """Both answers count the same in sum, however rare one is; `strength`: of the examples against the penalty."""
    signs = np.where(yes, 1.0, -1.0)
    share = max(yes.mean(), 1 / len(yes)), max(1 - yes.mean(), 1 / len(yes))
    counts = strength / (2 * np.where(yes, *share))
    wide = rows.astype(np.float64)
    transposed = wide.T.tocsr()

    def loss(line: Float64) -> tuple[float, Float64]:
        margins = signs * (wide @ line[:-1] + line[-1])
        slopes = -signs * counts * expit(-margins)
        value = counts @ np.logaddexp(0.0, -margins) + 0.5 * line[:-1] @ line[:-1]
        return float(value), np.append(transposed @ slopes + line[:-1], slopes.sum())

    start = np.zeros(rows.shape[1] + 1)
    found, _, _ = fmin_l_bfgs_b(loss, start, m=CORRECTIONS, pgtol=1e-3, maxiter=STEPS)
    return Line(found[:-1].astype(np.float32), float(found[-1]))
