"""Fits the models and writes them as a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from models.data import History, Interactions, ItemInfo
from models.pipeline import LocalRecommender
from training.progress import Progress

# (what a user did, newest first; how many) -> item ids of the whole catalogue, best first, without those of the history.
Recommend: TypeAlias = Callable[[History | None, int], list[str]]


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Every setting of a fit."""

    seed: int = 0


@dataclass(frozen=True, slots=True)
class FittedModels:
    """Models that were fitted and not saved."""

    recommender: LocalRecommender
    config: FitConfig

    def scorers(self) -> Mapping[str, Recommend]:
        """Each model and the blend, by name: "popularity", "itemknn", "transitions", "ials", "content", "blend"."""
        raise NotImplementedError


def fit_models(
    interactions: Interactions, items: Sequence[ItemInfo], config: FitConfig, progress: Progress
) -> FittedModels:
    """Fits on all of `interactions`; the blend's weights come from a slice of time at their end."""
    raise NotImplementedError


def fit_bundle(
    interactions: Interactions,
    items: Sequence[ItemInfo],
    *,
    name: str,
    out: Path,
    config: FitConfig,
    progress: Progress,
    now: float,
    fingerprint: str,
    report: Mapping[str, Any],
) -> Path:
    """Writes `out/name/version` and returns it. `report` (what preprocessing did) goes into the manifest."""
    raise NotImplementedError
