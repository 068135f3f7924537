"""Fresh: a few places for items that nobody could have taken yet, so that they can be taken at all."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from gateway.candidates import Candidates
from gateway.columns import floats
from gateway.ranking import NEW

FIRST_PLACE: Final = 3  # the best two stay the best two


def proposed(candidates: Candidates) -> list[int]:
    """The new items that suit the user, best first: indices into the candidates."""
    if not any(candidates.is_new):
        return []
    affinity = floats(candidates.scores.get(NEW, b""))
    suiting = [place for place, score in enumerate(affinity) if candidates.is_new[place] and score > 0]
    return sorted(suiting, key=lambda place: (-affinity[place], candidates.item_ids[place]))


def with_fresh(
    order: Sequence[int], candidates: Candidates, fresh: Sequence[int], share: float, length: int
) -> list[int]:
    """The first `length` of `order`, into which `fresh` are put where too few new items stand by themselves.

    Among the first p places at most share x p are put there, and what stands where does not depend on `length`. Once
    `order` has ended the rest of `fresh` follows: there is nothing else to offer.
    """
    if not share:
        return list(order[:length])
    waiting, standing = deque(fresh), deque(order)
    placed, seen, new = list[int](), set[int](), 0
    while len(placed) < length and (waiting or standing):
        due = len(placed) + 1 >= _place(new + 1, share)
        chosen = (waiting if waiting and (due or not standing) else standing).popleft()
        if chosen not in seen:
            seen.add(chosen)
            placed.append(chosen)
            new += candidates.is_new[chosen]
    return placed


def _place(number: int, share: float) -> int:
    """Where at the earliest the new item of this number may be put, both counted from 1."""
    return max(FIRST_PLACE - 1 + number, math.ceil(number / share))
