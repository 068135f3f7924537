"""What is measured beside a fit: bundles that exist, a mesh that runs, and the two baselines of every table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from models import itemknn, popularity
from models.bundle import Bundle
from models.data import Float32, History, Int32, ItemInfo
from models.histories import SEEN_LIMIT
from models.pipeline import LocalRecommender
from models.sparse import Rows, matrix_of
from recmesh.client.blocking import Client
from training.evaluate import Contender
from training.fit import FitConfig, Recommend, tidy
from training.progress import Progress
from training.protocols import Cut
from training.splits import Split
from training.stopwatch import Stopwatch

HELD_OUT = "held_out"  # where a manifest says what a bundle has not seen


def baselines(
    split: Split, items: Sequence[ItemInfo], config: FitConfig, progress: Progress
) -> Mapping[str, Contender]:
    """Popularity and item-kNN, fitted on the learning part."""
    data, _ = tidy(split.train, items)
    watch = Stopwatch(progress)
    with watch.stage("item-kNN", len(items)) as stage:
        rows = itemknn.fit(matrix_of(data), config.itemknn, stage.advance)
    popular = popularity.fit(data, config.popularity)
    numbers = {id_: number for number, id_ in enumerate(data.item_ids)}

    def near(places: Int32, history: History) -> Float32:
        return _near(rows, places, history.weights, len(numbers))

    return {
        "popularity": Contender(_by_scores(lambda places, history: popular, numbers), watch.fitting("popularity")),
        "itemknn": Contender(_by_scores(near, numbers), watch.fitting("itemknn")),
    }


def _by_scores(score: Callable[[Int32, History], Float32], numbers: Mapping[str, int]) -> Recommend:
    ids = list(numbers)

    def recommend(history: History | None, count: int) -> list[str]:
        if history is None:
            return []
        places = np.array([numbers[item] for item in history.item_ids], np.int32)
        scores = np.where(np.isin(np.arange(len(ids)), places), -np.inf, score(places, history))
        best = np.argsort(-scores, kind="stable")[:count]
        return [ids[place] for place in best.tolist() if scores[place] > 0]

    return recommend


def _near(rows: Rows, places: Int32, weights: Float32, width: int) -> Float32:
    entries, columns, values = rows.gather(places)
    return np.bincount(columns, values * weights[entries], minlength=width).astype(np.float32)


def of_bundle(bundle: Bundle) -> Contender:
    recommender = LocalRecommender(bundle)
    return Contender(lambda history, count: [item for item, _ in recommender.recommend(history, count)])


def has_not_seen(bundle: Bundle, cut: Cut) -> bool:
    """Whether a bundle was fitted on this protocol's learning part."""
    told: Any = bundle.manifest["metrics"].get("data", {}).get(HELD_OUT)
    return bool(told == asdict(cut))


class Mesh:
    """A running mesh, asked with histories as any caller may."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.versions: set[str] = set()  # the bundles that answered
        self.degraded = 0  # answers that had to do without something

    def recommend(self, history: History | None, count: int) -> list[str]:
        if history is None:
            return []
        newest_first = list(zip(history.item_ids, history.weights.tolist(), strict=True))[:SEEN_LIMIT]
        answer = self._client.recommend(history=newest_first[::-1], count=count)
        self.versions.add(answer.bundle_version)
        self.degraded += not answer.complete
        return [item.id for item in answer.items]
