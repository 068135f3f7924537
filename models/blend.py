"""The blend: the sources' scores made comparable, weighted and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bundle import BundleData
from models.data import Float32, Float64, Int32
from models.sources import ABOVE_ZERO
from models.sparse import Int64

# Whose best become candidates on which surface. "new" only proposes: what it found is scored by the other sources.
PROPOSERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "recommend": (
            "ials",
            "itemknn",
            "transitions",
            "ease",
            "rp3beta",
            "sequence",
            "popularity",
            "title",
            "words",
            "new",
        ),
        "similar": ("ials", "itemknn", "transitions", "content", "new"),
        "search": ("content", "title", "words", "new"),
    }
)


FOR_USERS: Final = "recommend"  # the surface that is asked with histories
OF_TEXT: Final = frozenset({"title", "words"})  # sources that have an opinion only where a text was asked with
SHORT: Final = "short"  # beside the surfaces in a bundle's document: what holds for users of whom little is known


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in their final order."""

    order: Int32  # indices into the candidates, best first
    scores: Float32  # in that order
    contributions: Mapping[str, Float32]  # what each source added to these scores, in that order


@dataclass(frozen=True, slots=True)
class Short:
    """Weights for users of whom little is known: what neighbours of a single item say is worth less than usual."""

    below: int  # so many entries of a history
    weights: Mapping[str, float]


class Blend:
    """Weights of the sources for every surface; `weights` is surface -> source -> weight."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]], short: Short | None = None) -> None:
        # A text may come with other requests than a search: what matches it then counts as it does in one.
        of_text = {name: weight for name, weight in weights.get("search", {}).items() if name in OF_TEXT}
        self._weights = {surface: {**of_text, **own} for surface, own in weights.items()}
        self._short = Short(short.below, {**of_text, **short.weights}) if short else None

    @classmethod
    def of(cls, bundle: BundleData) -> Blend:
        weights = dict(bundle.json("blend"))
        short = weights.pop(SHORT, None)
        return cls(weights, Short(short["below"], short["weights"]) if short else None)

    def rank(
        self,
        surface: str,
        item_ids: Sequence[str],
        scores: Mapping[str, Float32],
        count: int,
        candidates_per_source: int = 0,
        entries: int = 0,
    ) -> Ranked:
        """The best `count` (0: all), the smaller id first among equals. ValueError: no such surface.

        `entries`: of the history that was asked with; 0 where there is none, or where it is not to matter how long.
        """
        weights = self._of(surface, entries)
        by_id = np.array(sorted(range(len(item_ids)), key=item_ids.__getitem__), np.int64)
        names = sorted(scores)
        table = np.array([scores[name] for name in names], np.float64).reshape(len(names), len(by_id))[:, by_id]
        kept = candidates(surface, dict(zip(names, table, strict=True)), candidates_per_source)
        contributions = weighted(dict(zip(names, table[:, kept], strict=True)), weights, len(kept))
        total = np.sum(list(contributions.values()), axis=0) if contributions else np.zeros(len(kept))
        best = np.argsort(-total, kind="stable")[: count or None]
        return Ranked(
            by_id[kept][best].astype(np.int32),
            total[best].astype(np.float32),
            {name: added[best].astype(np.float32) for name, added in contributions.items()},
        )

    def _of(self, surface: str, entries: int) -> Mapping[str, float]:
        if surface not in self._weights:
            raise ValueError(f"no surface {surface!r}; this bundle has weights for {', '.join(sorted(self._weights))}")
        short = self._short
        if short and surface == FOR_USERS and 0 < entries < short.below:
            return short.weights
        return self._weights[surface]


def candidates(surface: str, columns: Mapping[str, Float64], per_source: int) -> Int64:
    """The places of every proposer's best `per_source` (0: all), ascending; among equal scores the first places."""
    asked = [name for name in PROPOSERS[surface] if name in columns]
    if not asked:
        return np.zeros(0, np.int64)
    table = np.array([columns[name] for name in asked])
    proposed = table > [[0.0 if name in ABOVE_ZERO else -np.inf] for name in asked]
    beyond = table.shape[1] - per_source
    if per_source and beyond > 0:
        standing = np.where(proposed, table, -np.inf)
        last = np.partition(standing, beyond, axis=1)[:, beyond, None]
        above, tied = standing > last, (standing == last) & proposed
        room = per_source - above.sum(axis=1, keepdims=True)
        proposed = above | (tied & (np.cumsum(tied, axis=1) <= room))
    return np.flatnonzero(proposed.any(axis=0))


def weighted(columns: Mapping[str, Float64], weights: Mapping[str, float], rows: int) -> dict[str, Float64]:
    """What each source adds to the score of each row.

    Where a source has no opinion of a row, the others answer for it in proportion to their weights: an item that
    nobody could take yet is judged by what is known of it.
    """
    asked = [name for name in sorted(weights) if name in columns]
    if not asked or not rows:
        return {}
    table = standardized(np.array([columns[name] for name in asked]))
    known: NDArray[np.bool_] = ~np.isnan(table)
    having = np.flatnonzero(known.any(axis=1))
    names = [asked[place] for place in having.tolist()]
    shares = np.array([[weights[name]] for name in names]).reshape(-1, 1)
    answered = np.sum(np.where(known[having], shares, 0.0), axis=0)
    stretch = np.divide(sum(weights[name] for name in names), answered, out=np.zeros(rows), where=answered > 0)
    return dict(zip(names, np.nan_to_num(table[having]) * shares * stretch, strict=True))


def standardized(columns: Float64) -> Float64:
    """Mean 0 and deviation 1 along the last axis, over what is a number; NaN stays."""
    known = ~np.isnan(columns)
    amount = np.maximum(known.sum(axis=-1, keepdims=True), 1)

    def mean(values: Float64) -> Float64:
        total: Float64 = np.sum(values, axis=-1, keepdims=True, where=known)
        return np.asarray(total / amount, np.float64)

    centred: Float64 = columns - mean(columns)
    deviation = np.sqrt(mean((centred - mean(centred)) ** 2))
    scaled: Float64 = np.where(deviation > 0, centred / np.where(deviation > 0, deviation, 1.0), centred)
    return scaled
