"""What lists are beside right: how little known their items are, how different, how evenly the catalogue is shown.

All of it is counted in the learning part alone, so that it needs no description of the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from models.data import Float64, Int32, Interactions
from models.sparse import Matrix
from training.metrics import NO_ITEM

BEYOND: Final = ("novelty", "diversity", "popularity_lift", "gini")
PAIRS_AT_ONCE: Final = 20_000  # bounds the memory of comparing items: a pair may have thousands of users


@dataclass(frozen=True, slots=True)
class Learnt:
    """Who took what in the learning part."""

    takers: Float64  # of every item, how many users
    users: int
    by_item: Matrix  # items by users, of unit length

    @classmethod
    def of(cls, train: Interactions) -> Learnt:
        shape = (len(train.item_ids), len(train.user_ids))
        taken = sparse.csr_array((np.ones(len(train), np.float32), (train.items, train.users)), shape=shape)
        taken.sum_duplicates()
        taken.data[:] = 1
        takers = np.diff(taken.indptr).astype(np.float64)
        taken.data /= np.sqrt(np.repeat(takers, np.diff(taken.indptr))).astype(np.float32)
        return cls(takers, len(np.unique(train.users)), taken)

    def measure(self, ranked: Int32, had: Float64, k: int) -> Mapping[str, float]:
        """Each of BEYOND over the first k of every row; `had`: of each row's user the mean takers of known items.

        Novelty: mean -log2 of the share of users who took a listed item, as if one more user had taken each (Vargas
        and Castells 2011). Diversity: mean distance of the pairs of a list, 1 - cosine over the users who took both
        (intra-list distance after Ziegler et al. 2005). Popularity lift: by how much the mean takers of the lists are
        above those of what users had (Abdollahpouri et al. 2020). Gini: of how often items are listed, 0 if all are
        alike, near 1 if a few fill every list.
        """
        top = ranked[:, :k]
        listed = top[top != NO_ITEM]
        if not len(listed):
            return dict.fromkeys(BEYOND, 0.0)
        shares = (self.takers[listed] + 1) / (self.users + 1)
        rows = [self.takers[row[row != NO_ITEM]].mean() for row in top if (row != NO_ITEM).any()]
        before = float(np.mean(had))
        return {
            "novelty": float(-np.log2(shares).mean()),
            "diversity": self._diversity(top),
            "popularity_lift": float(np.mean(rows)) / before - 1 if before > 0 else 0.0,
            "gini": gini(np.bincount(listed, minlength=len(self.takers))),
        }

    def _diversity(self, top: Int32) -> float:
        left, right = np.triu_indices(top.shape[1], 1)
        first, second = top[:, left], top[:, right]
        both = (first != NO_ITEM) & (second != NO_ITEM)
        size = len(self.takers)
        low, high = np.minimum(first, second)[both], np.maximum(first, second)[both]
        pairs, times = np.unique(low.astype(np.int64) * size + high, return_counts=True)
        total = 0.0
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            some = slice(start, start + PAIRS_AT_ONCE)
            both_took = self.by_item[pairs[some] // size].multiply(self.by_item[pairs[some] % size])
            cosines: Float64 = np.asarray(both_took.sum(axis=1), np.float64).ravel()
            total += float((1 - cosines) @ times[some])
        return total / times.sum() if len(times) else 0.0


def gini(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Of how unevenly a sum is spread: half the mean difference of two parts over the mean part."""
    ascending = np.sort(counts).astype(np.float64)
    n, total = len(ascending), ascending.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * total))
