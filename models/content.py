"""What a text says: tf-idf of its pieces, content vectors by a truncated SVD, and the map onto the factors of iALS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.data import AttributeValue, Float32, Int32, ItemInfo
from models.sparse import Matrix, matrix

# A title and a category say more of an item than a word of its description: unseen films of ml-latest-small were
# found clearly better by content vectors when both are repeated (recall@10 .161 instead of .129 in 256 dimensions).
REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class ContentConfig:
    """Settings of content vectors and of the map from texts to factors."""

    dimension: int = 128
    regularization: float = 3.0  # of the map; 1 to 10 made no difference to unseen films
    # Conjugate gradient steps: with 20 the map predicts as well as solved exactly.
    steps: int = 20

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.steps < 1 or self.regularization <= 0:
            raise ValueError("dimension and steps are 1 or more, regularization is above 0")


def item_text(item: ItemInfo) -> str:
    """The one text an item is embedded from, in training and when it is put."""
    values = (" ".join(_words(value)) for _, value in sorted(item.attributes.items()))
    lines = [item.title, " ".join(item.categories)] * REPEATS
    return "\n".join(filter(None, [*lines, item.text, *values]))


def _words(value: AttributeValue) -> Sequence[str]:
    """The words among attribute values: numbers and truths describe nothing in words."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Sequence) else ()


def inverse_frequencies(pieces: Sequence[Int32], vocabulary: int) -> Float32:
    """log((1 + texts) / (1 + texts with the piece)) + 1 of every piece."""
    counts = np.zeros(vocabulary, np.int64)
    for text in pieces:
        counts[np.unique(text)] += 1
    return (np.log((1 + len(pieces)) / (1 + counts)) + 1).astype(np.float32)


def vectorize(pieces: Sequence[Int32], idf: Float32) -> Matrix:
    """Texts by pieces: (1 + log tf) * idf, rows of unit length."""
    rows = np.repeat(np.arange(len(pieces)), [len(text) for text in pieces])
    columns = np.concatenate([*pieces, np.zeros(0, np.int32)])
    counted = matrix(rows, columns, np.ones(len(rows), np.float32), (len(pieces), len(idf)))
    counted.data = (1 + np.log(counted.data)) * idf[counted.indices]
    lengths = np.diff(counted.indptr)
    norms = np.sqrt(np.bincount(np.repeat(np.arange(len(pieces)), lengths), counted.data**2, minlength=len(pieces)))
    counted.data = (counted.data / np.repeat(norms, lengths)).astype(np.float32)
    return counted


def fit_projection(texts: Matrix, config: ContentConfig, rng: np.random.Generator) -> Float32:
    """Pieces by dimensions: the leading right singular vectors, by a randomized SVD.

    After Halko, Martinsson, Tropp, "Finding structure with randomness" (2011), with their oversampling and power
    iteration. Columns of zeros where the texts have fewer dimensions.
    """
    projection = np.zeros((texts.shape[1], config.dimension), np.float32)
    width = min(config.dimension + 16, *texts.shape)
    if width == 0:
        return projection
    basis = texts @ rng.normal(size=(texts.shape[1], width)).astype(np.float32)
    for _ in range(4):
        basis = texts @ (texts.T @ np.linalg.qr(basis)[0])
    small = (texts.T @ np.linalg.qr(basis)[0]).T
    _, sizes, vectors = np.linalg.svd(small, full_matrices=False)
    kept = min(config.dimension, int((sizes > sizes[0] * 1e-5).sum()))
    projection[:, :kept] = vectors[:kept].T
    return projection


def unit_rows(vectors: Float32) -> Float32:
    """Rows of length 1; rows of zeros stay."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0), np.float32)


def fit_factor_map(
    texts: Matrix, factors: Float32, support: Float32, config: ContentConfig, done: Callable[[int], None]
) -> Float32:
    """Pieces by factors: ridge regression of the factors on the texts, rows weighted by log(1 + `support`).

    Solved in the space of the texts: W = X' S a with (S X X' S + r I) a = S F and S the roots of the weights, by
    conjugate gradients for all columns at once.
    """
    roots = np.sqrt(np.log1p(support)).astype(np.float32)[:, None]
    transposed = texts.T.tocsr()

    def product(vectors: Float32) -> Float32:
        through = texts @ (transposed @ (roots * vectors))
        return np.asarray(roots * through + np.float32(config.regularization) * vectors, np.float32)

    solution = np.zeros_like(factors)
    residual = roots * factors
    direction = residual.copy()
    size = np.einsum("ij,ij->j", residual, residual)
    for _ in range(config.steps):
        moved = product(direction)
        step = size / np.maximum(np.einsum("ij,ij->j", direction, moved), np.float32(1e-30))
        solution += step * direction
        residual -= step * moved
        before, size = size, np.einsum("ij,ij->j", residual, residual)
        direction = residual + size / np.maximum(before, np.float32(1e-30)) * direction
        done(1)
    return np.asarray(transposed @ (roots * solution), np.float32)
