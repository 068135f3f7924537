"""Fits the models and writes them as a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from models.data import Float32, History, Interactions, ItemInfo
from models.events import DEFAULT_EVENT_WEIGHTS, combine
from models.pipeline import CANDIDATES_PER_SOURCE, LocalRecommender
from models.ranker import Ranker
from models.sentiment import Sentiment, add_no_sentiment
from models.writer import BundleWriter, Parts
from training.neural.chain import Networks, fit_on_torch, torch_needed
from training.parts import FitConfig, Texts, fit_parts, fit_texts
from training.progress import Progress
from training.stages import EachAnew, Stages, WorkFolder, run_key
from training.validation import validate, with_settings

__all__ = ["WORK", "FitConfig", "FittedModels", "fit_bundle", "fit_models", "tidy"]

# (what a user did, newest first; how many) -> ids of the catalogue, best first, without those of the history.
Recommend: TypeAlias = Callable[[History | None, int], list[str]]

# `fit_parts`, or what does the same elsewhere.
Learn: TypeAlias = Callable[[Interactions, Sequence[ItemInfo], Texts, FitConfig, Progress, Stages, str], Parts]

WORK = ".work"  # beside the bundles of one name: what stages of runs that were stopped gave
SINGLE_MODELS = ("popularity", "trending", "itemknn", "transitions", "ials", "ease", "rp3beta", "content", "sequence")


@dataclass(frozen=True)
class FittedModels:
    """Models that were fitted; not yet saved."""

    parts: Parts
    metrics: Mapping[str, Any]  # of the validation slice

    @cached_property
    def recommender(self) -> LocalRecommender:
        return LocalRecommender(self.parts)

    def scorers(self) -> Mapping[str, Recommend]:
        """Each of SINGLE_MODELS, "blend" and, where it was kept, "ranker", by name."""
        found = {name: self._alone(name) for name in SINGLE_MODELS}
        if not self.parts.config["sequence"]["enabled"]:
            del found["sequence"]
        plain = copy(self.recommender)
        plain.ranker = Ranker(self.recommender.ranker.blend)
        found["blend"] = partial(_whole, plain)
        if self.recommender.ranker.trees is not None:
            found["ranker"] = partial(_whole, self.recommender)
        return found

    def _alone(self, name: str) -> Recommend:
        def recommend(history: History | None, count: int) -> list[str]:
            query = self.recommender.query(history, count)
            query = replace(query, count=count, sources=frozenset({name}), surface="")
            found = self.recommender.shard.search(query)
            if name not in found.scores:
                return []
            best = np.argsort(-found.scores[name], kind="stable")  # candidates stand in order of their ids
            return [found.item_ids[place] for place in best.tolist()]

        return recommend


def _whole(recommender: LocalRecommender, history: History | None, count: int) -> list[str]:
    return [item for item, _ in recommender.recommend(history, count)]


def fit_models(
    interactions: Interactions,
    items: Sequence[ItemInfo],
    config: FitConfig,
    progress: Progress,
    stages: Stages | None = None,
) -> FittedModels:
    """Fits on all of `interactions`; what is chosen comes from the latest slice of each user's.

    `items` stand in the order of `interactions.item_ids`, interactions in order of user and time.
    """
    data, catalogue = tidy(interactions, items)
    return fit_with(fit_parts, data, catalogue, config, progress, stages or EachAnew())


def fit_with(
    learn: Learn, data: Interactions, catalogue: Sequence[ItemInfo], config: FitConfig, progress: Progress, kept: Stages
) -> FittedModels:
    """`learn` fits the parts; `data` and `catalogue` are as `tidy` leaves them."""
    torch_needed(config.sequence)
    networks = Networks(data, config, progress, kept, fit_on_torch)
    texts = fit_texts(catalogue, config, progress, kept)

    def fit(part: Interactions, config: FitConfig, label: str) -> Parts:
        parts = learn(part, catalogue, texts, config, progress, kept, label)
        parts.include(networks.parts(label))
        return parts

    held_out = kept.kept("validation", lambda: validate(data, catalogue, fit, config, progress))
    parts = fit(data, with_settings(config, held_out.json("settings")), "")
    parts.documents |= {name: held_out.json(name) for name in ("blend", "ranker")}
    parts.arrays |= held_out.arrays
    return FittedModels(parts, held_out.json("metrics"))


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
    event_weights: Mapping[str, float] = DEFAULT_EVENT_WEIGHTS,
    sentiment: Sentiment | None = None,
    reused: Callable[[str], None] = lambda stage: None,
) -> Path:
    """Writes `out/name/version` and returns it.

    `report` (what preprocessing did) goes into the manifest. So do `event_weights` and, as a part of the bundle, the
    `sentiment` of reviews, which `interactions` were weighted by: live events are to be weighted alike.
    A run that was stopped goes on where it was; `reused` is told of each stage that it left done.
    """
    work = WorkFolder.of(out / name / WORK, run_key(interactions, items, asdict(config)), now, reused)
    fitted = fit_models(interactions, items, config, progress, work)
    path = write_bundle(fitted, name, out, progress, now, fingerprint, report, event_weights, sentiment)
    work.remove()
    return path


def write_bundle(
    fitted: FittedModels,
    name: str,
    out: Path,
    progress: Progress,
    now: float,
    fingerprint: str,
    report: Mapping[str, Any],
    event_weights: Mapping[str, float],
    sentiment: Sentiment | None,
) -> Path:
    """As `fit_bundle` says."""
    if sentiment is None:
        add_no_sentiment(fitted.parts)
    else:
        sentiment.add_to(fitted.parts)
    settings = {
        **fitted.parts.config,
        "event_weights": dict(event_weights),
        "candidates_per_source": CANDIDATES_PER_SOURCE,
    }
    with BundleWriter(name, out) as writer, progress.stage("write", 1) as stage:
        writer.add(fitted.parts)
        path = writer.finish(settings, {"validation": fitted.metrics, "data": report}, fingerprint, now)
        stage.advance()
    return path


def tidy(data: Interactions, items: Sequence[ItemInfo]) -> tuple[Interactions, list[ItemInfo]]:
    """Items in order of their ids, and of a user's events with one item one row in the place of the last."""
    order = sorted(range(len(items)), key=data.item_ids.__getitem__)
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    last, weights = _combined(data)
    return replace(
        data,
        item_ids=[data.item_ids[place] for place in order],
        users=data.users[last],
        items=number[data.items[last]],
        weights=weights[last],
        timestamps=data.timestamps[last],
    ), [items[place] for place in order]


def _combined(data: Interactions) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Float32]:
    """The last row of every pair of user and item in their order, and weights that take earlier ones in."""
    pairs = data.users.astype(np.int64) * len(data.item_ids) + data.items
    order = np.argsort(pairs, kind="stable")
    repeats = np.flatnonzero(pairs[order][1:] == pairs[order][:-1])
    weights = data.weights.copy()
    for earlier, later in zip(order[repeats].tolist(), order[repeats + 1].tolist(), strict=True):
        weights[later] = combine(float(weights[earlier]), float(weights[later]))
    last = np.ones(len(data), np.bool_)
    last[order[repeats]] = False
    return np.flatnonzero(last), weights
