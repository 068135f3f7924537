"""How good ranked lists are: binary relevance, every user counts the same, a user without a list counts zero.

Definitions follow the literature: precision divides by k, also where a list is shorter; recall divides by the number
of relevant items; average precision divides by min(k, relevant), so that a perfect list scores 1, and as `map_all` by
the number of relevant items, as trec_eval and some published tables do; NDCG has gain 1 and discount log2(place + 1);
MRR looks at the first k places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data import Float64, Int32

PER_USER: Final = ("precision", "recall", "map", "map_all", "ndcg", "mrr", "hit_rate")  # means over the users
METRICS: Final = (*PER_USER, "coverage")
SHOWN: Final = tuple(name for name in METRICS if name != "map_all")  # in tables; what programs read has all
NO_ITEM: Final = -1  # fills the places a short list leaves


def padded(lists: Sequence[Sequence[int] | Int32], k: int) -> Int32:
    """Lists of item numbers as rows of width k, NO_ITEM where a list ends."""
    table = np.full((len(lists), k), NO_ITEM, dtype=np.int32)
    for row, items in zip(table, lists, strict=True):
        best = items[:k]
        row[: len(best)] = best
    return table


def hits(ranked: Int32, relevant: Sequence[Int32], catalogue: int) -> NDArray[np.bool_]:
    """Which places of each row of `ranked` hold one of the row's relevant items; items are below `catalogue`."""
    sizes = [len(items) for items in relevant]
    rows = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    columns = np.concatenate([*relevant, np.zeros(0, np.int32)]).astype(np.int64)
    asked = np.arange(len(ranked), dtype=np.int64)[:, None] * catalogue + ranked
    found: NDArray[np.bool_] = np.isin(asked, rows * catalogue + columns) & (ranked != NO_ITEM)
    return found


def measure(ranked: Int32, relevant: Sequence[Int32], catalogue: int, k: int) -> Mapping[str, float]:
    """Each of METRICS at k: means over the rows, and the share of the catalogue that appears in any row.

    Rows hold distinct items; every row has at least one relevant item.
    """
    if not len(ranked):
        return dict.fromkeys(METRICS, 0.0)
    top = ranked[:, :k]
    shown = np.unique(top[top != NO_ITEM])
    by_user = {name: float(np.mean(values)) for name, values in per_user(top, relevant, catalogue, k).items()}
    return by_user | {"coverage": len(shown) / catalogue}


def per_user(ranked: Int32, relevant: Sequence[Int32], catalogue: int, k: int) -> Mapping[str, Float64]:
    """Each of PER_USER at k, for every row."""
    hit = hits(ranked[:, :k], relevant, catalogue)
    sizes = np.array([len(items) for items in relevant], dtype=np.int64)
    return {
        "precision": hit.sum(axis=1) / k,
        "recall": hit.sum(axis=1) / sizes,
        "map": _precisions(hit) / np.minimum(sizes, k),
        "map_all": _precisions(hit) / sizes,
        "ndcg": _ndcg(hit, sizes, k),
        "mrr": np.where(hit.any(axis=1), 1.0 / (hit.argmax(axis=1) + 1.0), 0.0),
        "hit_rate": hit.any(axis=1).astype(np.float64),
    }


def _precisions(hit: NDArray[np.bool_]) -> Float64:
    """The sum of the precisions at every place that is right."""
    precisions = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    summed: Float64 = (precisions * hit).sum(axis=1)
    return summed


def _ndcg(hit: NDArray[np.bool_], sizes: NDArray[np.int64], k: int) -> Float64:
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(sizes, k) - 1]
    gained: Float64 = (hit * discounts[: hit.shape[1]]).sum(axis=1) / ideal
    return gained
