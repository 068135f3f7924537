"""Regularised least squares for many rows at once: each row's own weighted observations beside a gram matrix of all.

Every function solves (gram + diagonal + F' |W| F) x = F' max(W, 0) + drawn for each row of a batch, with F the factors
of what the row observed and W its signed weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.data import Float32
from models.sparse import Int64, Matrix

# Rows of a batch times the length of its longest: their factors stay in a core's cache (1 MB for d = 64). With 250,000
# an exact step of ml-1m took twice as long.
BATCH_ELEMENTS = 4_000
BATCH_ROWS = 500  # d * d * 4 bytes * this: 8 MB for d = 64


def batches(counts: Int64) -> Iterator[Int64]:
    """The numbers of rows that have observations, those of similar counts together."""
    order = np.argsort(counts, kind="stable").astype(np.int64)
    order = order[counts[order] > 0]
    end = len(order)
    while end > 0:
        size = max(1, min(end, BATCH_ELEMENTS // int(counts[order[end - 1]]), BATCH_ROWS))
        yield order[end - size : end]
        end -= size


def gathered(factors: Float32, taken: Matrix, batch: Int64) -> tuple[Float32, Float32]:
    """Factors and weights of the batch's observations; rows are filled up with weights of zero."""
    starts, counts = taken.indptr[batch], np.diff(taken.indptr)[batch]
    places = np.arange(counts.max())
    inside = places < counts[:, None]
    elements = np.where(inside, starts[:, None] + places, 0)
    weights = np.where(inside, taken.data[elements], np.float32(0))
    return factors[taken.indices[elements]], weights


def solve_many(factors: Float32, weights: Float32, diagonal: Float32, drawn: Float32, gram: Float32) -> Float32:
    """Exactly; `diagonal` is one number a row."""
    left = np.matmul(factors.transpose(0, 2, 1), factors * np.abs(weights)[:, :, None]) + gram
    places = np.arange(len(gram))
    left[:, places, places] += diagonal[:, None]
    right = _weighted(factors, np.maximum(weights, 0)) + drawn
    return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0], np.float32)


def solve_few(factors: Float32, weights: Float32, diagonal: Float32, drawn: Float32) -> Float32:
    """Exactly where the gram matrix is diagonal and part of `diagonal`, by Woodbury's identity: rows with few
    observations need a solve of that size only."""
    scale = 1 / diagonal
    plain = scale * (_weighted(factors, np.maximum(weights, 0)) + drawn)
    rooted = factors * np.sqrt(np.abs(weights))[:, :, None]
    small = np.matmul(rooted * scale[:, None, :], rooted.transpose(0, 2, 1)) + np.eye(rooted.shape[1], dtype=np.float32)
    inner = np.linalg.solve(small, np.matmul(rooted, plain[:, :, None]))
    return np.asarray(plain - scale * np.matmul(rooted.transpose(0, 2, 1), inner)[:, :, 0], np.float32)


def improve(
    start: Float32, factors: Float32, weights: Float32, diagonal: Float32, drawn: Float32, steps: int
) -> Float32:
    """From `start` so many steps of conjugate gradients, where the gram matrix is diagonal and part of `diagonal`.

    `diagonal` is the preconditioner, so that only what a row itself observed is left to find.
    """
    sizes, scale = np.abs(weights), np.asarray(1 / diagonal, np.float32)

    def product(rows: Float32) -> Float32:
        return diagonal * rows + _weighted(factors, _scores(factors, rows) * sizes)

    solved = start
    residual = _weighted(factors, np.maximum(weights, 0) - _scores(factors, start) * sizes) + drawn - diagonal * start
    scaled = residual * scale
    direction, length = scaled, _dots(residual, scaled)
    for left in range(steps - 1, -1, -1):
        moved = product(direction)
        step = np.asarray(length / np.maximum(_dots(direction, moved), np.float32(1e-30)), np.float32)
        solved = solved + step * direction
        if left:
            residual = residual - step * moved
            scaled = residual * scale
            before, length = length, _dots(residual, scaled)
            direction = scaled + np.asarray(length / np.maximum(before, np.float32(1e-30)), np.float32) * direction
    return solved


def _scores(factors: Float32, rows: Float32) -> Float32:
    """Of every row's observations."""
    return np.asarray(np.matmul(factors, rows[:, :, None])[:, :, 0], np.float32)


def _weighted(factors: Float32, weights: Float32) -> Float32:
    """The sum of every row's observations."""
    return np.asarray(np.matmul(weights[:, None, :], factors)[:, 0], np.float32)


def _dots(some: Float32, others: Float32) -> Float32:
    return np.asarray(np.einsum("ij,ij->i", some, others)[:, None], np.float32)
