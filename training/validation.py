"""What a fit decides on the latest slice of each user's events: settings, the blend's weights, and the ranker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from models.data import Interactions, ItemInfo
from models.pipeline import LocalRecommender
from models.writer import Parts
from training.choices import choose
from training.parts import FitConfig
from training.progress import Progress
from training.ranker import Course, enough, fit_ranker, said, without_ranker
from training.slices import Slice
from training.splits import Latest, Split
from training.weights import fit_blend

# Of a fit, by how many slices were cut off before it.
LABELS: Final = ("", " before the slice", " before the slice before")


def validate(
    data: Interactions,
    items: Sequence[ItemInfo],
    fit: Callable[[Interactions, FitConfig, str], Parts],
    config: FitConfig,
    progress: Progress,
) -> Parts:
    """Documents "settings" of the sources, weights of the "blend" and "metrics", and the parts of the ranker."""
    split = held_out(config)[0].held_out_of(data)
    parts = fit(split.train, config, LABELS[1])
    rng = np.random.default_rng(config.seed)
    settings = choose(parts, config, Slice.of(split, parts, config.blend.questions, rng), progress)
    weights, metrics, recommender = fit_blend(split, parts, items, config.blend, config.seed, progress)

    def fit_earlier(earlier: Interactions) -> Parts:
        found = fit(earlier, with_settings(config, settings), LABELS[2])
        found.documents["blend"] = weights
        return found

    found, metrics["ranker"] = _ranker(split, parts, recommender, fit_earlier, config, progress)
    progress.tell(said(metrics["ranker"], config.ranker))
    found.documents |= {"settings": settings, "blend": weights, "metrics": metrics}
    return found


def held_out(config: FitConfig) -> tuple[Latest, Latest]:
    """The latest slice, on which all is chosen, and of what is left the one before it, on which the ranker learns."""
    latest = Latest(config.blend.held_out_share)
    return latest, Latest(events=config.ranker.steps) if config.ranker.one_by_one else latest


def _ranker(
    split: Split,
    parts: Parts,
    recommender: LocalRecommender,
    fit: Callable[[Interactions], Parts],
    config: FitConfig,
    progress: Progress,
) -> tuple[Parts, dict[str, Any]]:
    """Learnt on the slice before the latest one and judged on that, where there is enough of both."""
    if not config.ranker.trees:
        return without_ranker("trees = 0 in [fit.ranker]")
    earlier = held_out(config)[1].held_out_of(split.train)
    if not enough(earlier, config.ranker) or not enough(split, config.ranker):
        return without_ranker(f"fewer than {config.ranker.least_questions} users to learn from")
    before = fit(earlier.train)
    ranker = config.ranker
    learnt = Course(earlier, before, LocalRecommender(before), ranker, config.seed, ranker.one_by_one)
    judged = Course(split, parts, recommender, ranker, config.seed)
    return fit_ranker(learnt, judged, ranker, config.seed, progress)


def with_settings(config: FitConfig, settings: Mapping[str, Mapping[str, Any]]) -> FitConfig:
    """`settings`: of each source those that were chosen."""
    return replace(config, **{name: replace(getattr(config, name), **chosen) for name, chosen in settings.items()})
