"""Fits the models and writes them as a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from models import content, ials, itemknn, popularity, transitions
from models.catalogue import items_table
from models.data import Float32, History, Interactions, ItemInfo
from models.events import DEFAULT_EVENT_WEIGHTS, combine
from models.histories import add_histories
from models.pipeline import CANDIDATES_PER_SOURCE, LocalRecommender
from models.sparse import Matrix, matrix_of
from models.tokenizer import Tokenizer, TokenizerConfig
from models.tokenizer import train as train_tokenizer
from models.words import add_words
from models.writer import BundleWriter, Parts
from training.progress import Progress
from training.weights import BlendConfig, fit_blend

# (what a user did, newest first; how many) -> ids of the catalogue, best first, without those of the history.
Recommend: TypeAlias = Callable[[History | None, int], list[str]]

SINGLE_MODELS = ("popularity", "itemknn", "transitions", "ials", "content")


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Every setting of a fit. The same data, settings and seed give the same bundle."""

    seed: int = 0
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    content: content.ContentConfig = field(default_factory=content.ContentConfig)
    popularity: popularity.PopularityConfig = field(default_factory=popularity.PopularityConfig)
    itemknn: itemknn.ItemKnnConfig = field(default_factory=itemknn.ItemKnnConfig)
    transitions: transitions.TransitionsConfig = field(default_factory=transitions.TransitionsConfig)
    ials: ials.IalsConfig = field(default_factory=ials.IalsConfig)
    blend: BlendConfig = field(default_factory=BlendConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError("seed is 0 or more")


@dataclass(frozen=True, slots=True)
class FittedModels:
    """Models that were fitted; not yet saved."""

    parts: Parts
    metrics: Mapping[str, Any]  # of the validation slice
    recommender: LocalRecommender

    def scorers(self) -> Mapping[str, Recommend]:
        """Each of SINGLE_MODELS and "blend", by name."""
        single = {name: self._alone(name) for name in SINGLE_MODELS}
        return {**single, "blend": self._blend}

    def _blend(self, history: History | None, count: int) -> list[str]:
        return [item for item, _ in self.recommender.recommend(history, count)]

    def _alone(self, name: str) -> Recommend:
        def recommend(history: History | None, count: int) -> list[str]:
            query = replace(self.recommender.query(history, count), count=count, sources=frozenset({name}))
            found = self.recommender.shard.search(query)
            if name not in found.scores:
                return []
            best = np.argsort(-found.scores[name], kind="stable")  # candidates stand in order of their ids
            return [found.item_ids[place] for place in best.tolist()]

        return recommend


def fit_models(
    interactions: Interactions, items: Sequence[ItemInfo], config: FitConfig, progress: Progress
) -> FittedModels:
    """Fits on all of `interactions`; the blend's weights come from the latest slice of each user's.

    `items` stand in the order of `interactions.item_ids`, interactions in order of user and time.
    """
    data, catalogue = tidy(interactions, items)
    texts = _fit_texts(catalogue, config, progress)

    def fit(part: Interactions, label: str) -> Parts:
        return _fit_parts(part, catalogue, texts, config, progress, label)

    weights, metrics = fit_blend(data, catalogue, fit, config.blend, config.seed, progress)
    parts = fit(data, "")
    parts.documents["blend"] = weights
    return FittedModels(parts, metrics, LocalRecommender(parts))


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
) -> Path:
    """Writes `out/name/version` and returns it.

    `report` (what preprocessing did) goes into the manifest, `event_weights` (what `interactions` were weighted by)
    too: live events are to be weighted alike.
    """
    fitted = fit_models(interactions, items, config, progress)
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


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is learnt from the items' texts alone."""

    tokenizer: bytes
    idf: Float32
    projection: Float32
    vectors: Matrix


def _fit_texts(items: Sequence[ItemInfo], config: FitConfig, progress: Progress) -> _Texts:
    texts = [content.item_text(item) for item in items]
    with progress.stage("tokenizer", 1) as stage:
        model = train_tokenizer(texts, config.tokenizer)
        stage.advance()
    with progress.stage("content vectors", 2) as stage:
        tokenizer = Tokenizer(model)
        pieces = tokenizer.encode(texts)
        idf = content.inverse_frequencies(pieces, len(tokenizer))
        vectors = content.vectorize(pieces, idf)
        stage.advance()
        projection = content.fit_projection(vectors, config.content, np.random.default_rng(config.seed))
        stage.advance()
    return _Texts(model, idf, projection, vectors)


def _fit_parts(
    data: Interactions, items: Sequence[ItemInfo], texts: _Texts, config: FitConfig, progress: Progress, label: str
) -> Parts:
    """Everything of a bundle but the blend's weights."""
    taken = matrix_of(data)
    config = replace(config, ials=ials.settled(config.ials, taken))
    parts = Parts(asdict(config))
    _add_texts(parts, texts)
    _add_factors(parts, taken, texts, config, progress, label)
    with progress.stage(f"item-kNN{label}", len(items)) as stage:
        itemknn.fit(taken, config.itemknn, stage.advance).add_to(parts, "itemknn")
    with progress.stage(f"transitions{label}", len(items)) as stage:
        transitions.fit(data, config.transitions, stage.advance).add_to(parts, "transitions")
    parts.arrays["popularity"] = popularity.fit(data, config.popularity)
    parts.tables["items"] = items_table(items)
    parts.tables["users"] = pa.table({"id": pa.array(list(data.user_ids), pa.string())})
    add_histories(parts, data)
    return parts


def _add_texts(parts: Parts, texts: _Texts) -> None:
    parts.files["tokenizer.model"] = texts.tokenizer
    parts.arrays["piece_idf"] = texts.idf
    add_words(parts, texts.vectors)
    parts.arrays["piece_contents"] = texts.projection
    parts.arrays["item_contents"] = content.unit_rows(np.asarray(texts.vectors @ texts.projection, np.float32))


def _add_factors(parts: Parts, taken: Matrix, texts: _Texts, config: FitConfig, progress: Progress, label: str) -> None:
    """Factors learnt from users; items nobody took stand where their text lets expect them."""
    with progress.stage(f"iALS{label}", ials.rows_to_solve(taken, config.ials)) as stage:
        users, items = ials.fit(taken, config.ials, np.random.default_rng(config.seed), stage.advance)
    counts = np.bincount(taken.indices, minlength=taken.shape[1]).astype(np.float32)
    with progress.stage(f"texts to factors{label}", config.content.steps) as stage:
        mapping = content.fit_factor_map(texts.vectors, items, counts, config.content, stage.advance)
    with progress.stage(f"item factors{label}", 1) as stage:
        factors = ials.finish(taken, users, np.asarray(texts.vectors @ mapping, np.float32), config.ials)
        stage.advance()
    parts.arrays["item_factors"] = factors.items
    parts.arrays["item_learned"] = counts > 0
    parts.arrays["ials_gram"] = factors.gram
    parts.arrays["ials_mean_user"] = factors.mean_user
    parts.arrays["piece_factors"] = mapping
