"""What an answer may do without, in the order in which it is given up, and what takes its place.

An answer names under `degraded` what it went without. While one shard lives a list is never empty for want of a stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing an answer may go without."""

    name: str  # as `degraded` has it
    when: str
    instead: str


QUALITY: Final = "quality"
RANKING: Final = "ranking"
EMBEDDING: Final = "embedding"
FEEDBACK: Final = "feedback"
RETRIEVAL: Final = "retrieval"

DECLARED: Final = (
    Loss(QUALITY, "there is more to do than time", "fewer candidates; later no rearranging and no reasons"),
    Loss(RANKING, "ranking is away", "a blend of the sources' own orders"),
    Loss(
        EMBEDDING,
        "embedding is away",
        "item to item from the history; for a text, titles and words, else popular items",
    ),
    Loss(FEEDBACK, "feedback is away", "the history that came with the request; without one, popular items"),
    Loss(RETRIEVAL, "a shard is away", "the items of the other shards; without any, the request fails"),
)

PLACES: Final = {loss.name: place for place, loss in enumerate(DECLARED)}


def in_order(lost: Iterable[str]) -> list[str]:
    return sorted(lost, key=PLACES.__getitem__)
