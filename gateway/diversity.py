"""Diversity: ranked items put so that those near each other differ.

By maximal marginal relevance (Carbonell and Goldstein, 1998).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import mul
from typing import Final

from gateway.columns import floats
from recmesh.v1.retrieval_pb2 import ItemRecord

WINDOW_PAGES: Final = 3
WINDOW_MOST: Final = 90  # items; a window takes a time that grows with its square, and this many some 10 ms


def window_of(count: int) -> int:
    """How many neighbours in rank are rearranged among themselves.

    Windows lie end to end from the first place on, whatever the offset: so pages of one size never share an item.
    """
    return min(WINDOW_PAGES * count, WINDOW_MOST)


def unit_vectors(item_ids: Sequence[str], records: Mapping[str, ItemRecord]) -> Sequence[Sequence[float]]:
    """Of length 1, in the space of tastes or, where no item stands there, of meaning. Zero where nothing is known."""
    by_taste = any(any(record.factors) for record in records.values())
    known = {item_id: floats(record.factors if by_taste else record.content) for item_id, record in records.items()}
    return [_unit(known.get(item_id, ())) for item_id in item_ids]


def rearrange(relevance: Sequence[float], vectors: Sequence[Sequence[float]], diversity: float) -> list[int]:
    """The places of one window in their new order; `relevance` falls, and the best stays first.

    Each time the item is taken for which (1 - diversity) x relevance - diversity x the cosine to the most similar one
    taken before is greatest, relevance being scaled to 0..1.
    """
    best, worst = relevance[0], relevance[-1]
    scaled = [(each - worst) / (best - worst) if best > worst else 1.0 for each in relevance]
    nearest = [0.0] * len(scaled)
    left, order = list(range(len(scaled))), list[int]()
    while left:
        taken = max(left, key=lambda place: ((1 - diversity) * scaled[place] - diversity * nearest[place], -place))
        left.remove(taken)
        order.append(taken)
        for place in left:
            nearest[place] = max(nearest[place], sum(map(mul, vectors[place], vectors[taken])))
    return order


def _unit(vector: Sequence[float]) -> Sequence[float]:
    length = math.sqrt(sum(map(mul, vector, vector)))
    return [each / length for each in vector] if length else ()
