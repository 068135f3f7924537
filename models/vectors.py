"""Vectors in a FAISS index, and the exact best of them by inner product."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from models.data import Float32
from models.sparse import Int64

# The annotations of FAISS are those of its C++ layer; these two are called as its Python layer allows.
_selector: Any = faiss.IDSelectorBitmap
_parameters: Any = faiss.SearchParameters

# FAISS's sums may differ from ours in the last bits, and differ with the company a row keeps. It selects this many
# more than asked, and they are scored again by `inner_products`.
SLACK = 16
# Relative to the product of the lengths: more than float32 sums of some hundred products can be off.
TOLERANCE = 1e-5


def inner_products(rows: Float32, query: Float32) -> Float32:
    """Row by row, so that a score does not depend on which other rows are scored with it (as BLAS's would)."""
    return np.asarray(np.einsum("ij,j->i", rows, query), np.float32)


class Vectors:
    """Rows in order of their arrival; they are only ever appended."""

    def __init__(self, rows: Float32) -> None:
        self._index = faiss.IndexFlatIP(rows.shape[1])
        self._longest = 0.0
        self.known: NDArray[np.bool_] = np.zeros(0, np.bool_)  # rows of zeros stand nowhere: they cannot be found
        self.append(rows)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def append(self, rows: Float32) -> None:
        rows = np.ascontiguousarray(rows, np.float32)
        if len(rows):
            self._index.add(rows)
            self._longest = max(self._longest, float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max())))
            self.known = np.concatenate([self.known, rows.any(axis=1)])

    def rows(self, places: Int64) -> Float32:
        found = np.zeros((len(places), self.dimension), np.float32)
        if len(places):
            self._index.reconstruct_batch(places, found)
        return found

    def scores(self, places: Int64, query: Float32) -> Float32:
        return inner_products(self.rows(places), query)

    def best(self, query: Float32, count: int, allowed: NDArray[np.bool_]) -> tuple[Int64, Float32]:
        """At least the best `count` of the allowed rows, with all that tie with the last of them, and their scores."""
        available = int(np.count_nonzero(allowed))
        if not available:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters = _parameters(sel=_selector(np.packbits(allowed, bitorder="little")))
        tolerance = TOLERANCE * self._longest * float(np.sqrt(query @ query))
        asked = min(count + SLACK, available)
        while True:
            near, places = self._index.search(query[None, :], asked, params=parameters)
            scores = self.scores(places[0], query)
            if asked == available or near[0, -1] < np.partition(scores, -count)[-count] - tolerance:
                return places[0], scores
            asked = min(asked * 4, available)
