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


OF_TEXT: Final = frozenset({"title", "words"})  # sources that have an opinion only where a text was asked with


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in their final order."""

    order: Int32  # indices into the candidates, best first
    scores: Float32  # in that order
    contributions: Mapping[str, Float32]  # what each source added to these scores, in that order


class Blend:
    """Weights of the sources for every surface; `weights` is surface -> source -> weight."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]]) -> None:
        # A text may come with other requests than a search: what matches it then counts as it does in one.
        of_text = {name: weight for name, weight in weights.get("search", {}).items() if name in OF_TEXT}
        self._weights = {surface: {**of_text, **own} for surface, own in weights.items()}

    @classmethod
    def of(cls, bundle: BundleData) -> Blend:
        return cls(bundle.json("blend"))

    def rank(
        self,
        surface: str,
        item_ids: Sequence[str],
        scores: Mapping[str, Float32],
        count: int,
        candidates_per_source: int = 0,
    ) -> Ranked:
        """The best `count` (0: all), the smaller id first among equals. ValueError: no such surface."""
        if surface not in self._weights:
            raise ValueError(f"no surface {surface!r}; this bundle has weights for {', '.join(sorted(self._weights))}")
        by_id = np.array(sorted(range(len(item_ids)), key=item_ids.__getitem__), np.int64)
        columns = {name: scores[name][by_id].astype(np.float64) for name in sorted(scores)}
        kept = candidates(surface, columns, candidates_per_source)
        columns = {name: column[kept] for name, column in columns.items()}
        contributions = weighted(columns, self._weights[surface], len(kept))
        total = np.sum(list(contributions.values()), axis=0) if contributions else np.zeros(len(kept))
        best = np.argsort(-total, kind="stable")[: count or None]
        return Ranked(
            by_id[kept][best].astype(np.int32),
            total[best].astype(np.float32),
            {name: added[best].astype(np.float32) for name, added in contributions.items()},
        )


def candidates(surface: str, columns: Mapping[str, Float64], per_source: int) -> Int64:
    """The places of every proposer's best `per_source` (0: all), ascending; among equal scores the first places."""
    rows = len(next(iter(columns.values()), ()))
    chosen = np.zeros(rows, np.bool_)
    for name in PROPOSERS[surface]:
        if name in columns:
            places = np.flatnonzero(_proposed(name, columns[name]))
            best = np.argsort(-columns[name][places], kind="stable")
            chosen[places[best[: per_source or None]]] = True
    return np.flatnonzero(chosen)


def _proposed(name: str, column: Float64) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = column > 0 if name in ABOVE_ZERO else ~np.isnan(column)
    return known


def weighted(columns: Mapping[str, Float64], weights: Mapping[str, float], rows: int) -> dict[str, Float64]:
    """What each source adds to the score of each row.

    Where a source has no opinion of a row, the others answer for it in proportion to their weights: an item that
    nobody could take yet is judged by what is known of it.
    """
    z_scores = {name: standardized(columns[name]) for name in sorted(weights) if name in columns}
    having = {name: z for name, z in z_scores.items() if not np.isnan(z).all()}
    answered = np.zeros(rows)
    for name, z in having.items():
        answered += np.where(np.isnan(z), 0.0, weights[name])
    total = sum(weights[name] for name in having)
    stretch = np.divide(total, answered, out=np.zeros(rows), where=answered > 0)
    return {name: np.nan_to_num(z) * weights[name] * stretch for name, z in having.items()}


def standardized(column: Float64) -> Float64:
    """Mean 0 and deviation 1 over the rows that have a number; NaN stays."""
    known = ~np.isnan(column)
    if not known.any():
        return column
    centred: Float64 = column - column[known].mean()
    deviation = centred[known].std()
    return centred / deviation if deviation > 0 else centred
