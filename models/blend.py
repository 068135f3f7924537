"""The blend: the sources' scores made comparable, weighted and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.bundle import BundleData
from models.data import Float32, Int32


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in their final order."""

    order: Int32  # indices into the candidates, best first
    scores: Float32  # in that order
    contributions: Mapping[str, Float32]  # what each source added to these scores, in that order


class Blend:
    """Weights of the sources for every surface; `weights` is surface -> source -> weight."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]]) -> None:
        raise NotImplementedError

    @classmethod
    def of(cls, bundle: BundleData) -> Blend:
        raise NotImplementedError

    def sources(self, surface: str) -> frozenset[str]:
        """The sources that take part on this surface; others need not be asked."""
        raise NotImplementedError

    def rank(
        self,
        surface: str,
        item_ids: Sequence[str],
        scores: Mapping[str, Float32],
        count: int,
        candidates_per_source: int = 0,
    ) -> Ranked:
        """The best `count` (0: all). ValueError: no such surface."""
        raise NotImplementedError
