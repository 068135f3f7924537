"""What a fit decides on the latest slice of each user's events: settings of the sources and weights of the blend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.data import Interactions, ItemInfo
from models.writer import Parts
from training.choices import Slice, choose
from training.parts import FitConfig
from training.progress import Progress
from training.splits import temporal
from training.weights import fit_blend


def validate(
    data: Interactions,
    items: Sequence[ItemInfo],
    fit: Callable[[Interactions, FitConfig, str], Parts],
    config: FitConfig,
    progress: Progress,
) -> Parts:
    """Documents: "settings" of the sources, the weights of the "blend", and "metrics"."""
    split = temporal(data, config.blend.held_out_share)
    parts = fit(split.train, config, " before the slice")
    rng = np.random.default_rng(config.seed)
    settings = choose(parts, Slice.of(split, parts, config.blend.questions, rng), progress)
    weights, metrics = fit_blend(split, parts, items, config.blend, config.seed, progress)
    return Parts({}, documents={"settings": settings, "blend": weights, "metrics": metrics})


def with_settings(config: FitConfig, settings: Mapping[str, Mapping[str, Any]]) -> FitConfig:
    """`settings`: of each source those that were chosen."""
    return replace(config, **{name: replace(getattr(config, name), **chosen) for name, chosen in settings.items()})
