"""How well items that nobody took yet are placed by their texts: some are hidden, and ranked among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models import ials
from models.data import Float32, Int32, Interactions, ItemInfo
from models.encoder import Encoder
from models.histories import EMPTY, Histories, add_histories
from models.sparse import matrix_of
from models.writer import Parts
from training.errors import DatasetError
from training.fit import tidy
from training.metrics import measure, padded
from training.parts import FitConfig, Texts, fit_factors, fit_texts
from training.progress import Progress
from training.stages import EachAnew

HIDDEN: Final = 0.15  # of the items that somebody took
K: Final = 10


@dataclass(frozen=True, slots=True)
class Cold:
    """Recall of hidden items among the first K, by each way to rank them; means over the users."""

    hidden: int
    users: int
    recall: dict[str, float]


def cold_items(
    interactions: Interactions, items: Sequence[ItemInfo], config: FitConfig, seeds: int, progress: Progress
) -> list[Cold]:
    """One result a seed, each with other items hidden."""
    data, catalogue = tidy(interactions, items)
    texts = fit_texts(catalogue, config, progress, EachAnew())
    return [_one(data, texts, config, seed, progress) for seed in range(seeds)]


def _one(data: Interactions, texts: Texts, config: FitConfig, seed: int, progress: Progress) -> Cold:
    taken = np.unique(data.items)
    count = round(HIDDEN * len(taken))
    hidden = np.sort(np.random.default_rng(seed).permutation(taken)[:count]).astype(np.int32)
    apart = np.isin(data.items, hidden)
    parts = _fit(_only(data, ~apart), texts, config, progress, f" seed {seed}")
    asked = _only(data, apart & (data.weights > 0))
    histories = Histories(parts)
    users = [user for user in np.unique(asked.users).tolist() if len(histories.of(data.user_ids[user]) or EMPTY)]
    if not users:
        raise DatasetError("no user with a history took to a hidden item; there is too little to measure on")
    relevant = [asked.items[asked.users == user] for user in users]
    told = [histories.of(data.user_ids[user]) or EMPTY for user in users]
    factors, contents = Encoder(parts).embed_histories(told)
    recall = {}
    for name, vectors, queries in (
        ("text to factors", parts.array("item_factors"), factors),
        ("content cosine", parts.array("item_contents"), contents),
    ):
        ranked = _ranked(hidden, queries @ np.asarray(vectors[hidden]).T)
        recall[name] = measure(ranked, relevant, len(data.item_ids), K)["recall"]
    recall["chance"] = min(K / count, 1.0)
    return Cold(count, len(users), recall)


def _fit(data: Interactions, texts: Texts, config: FitConfig, progress: Progress, label: str) -> Parts:
    """What a query of factors or contents needs."""
    taken = matrix_of(data)
    settled = replace(config, ials=ials.settled(config.ials, taken))
    parts = Parts(asdict(settled))
    parts.include(texts.parts)
    parts.include(fit_factors(taken, texts, settled, progress, label))
    parts.tables["users"] = pa.table({"id": pa.array(list(data.user_ids), pa.string())})
    add_histories(parts, data)
    return parts


def _ranked(items: Int32, scores: Float32) -> Int32:
    """The best K of the items for each row of scores; rows without an opinion have none."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return padded([items[row] if told.any() else [] for row, told in zip(order, scores, strict=True)], K)


def _only(data: Interactions, chosen: NDArray[np.bool_]) -> Interactions:
    return replace(
        data,
        users=data.users[chosen],
        items=data.items[chosen],
        weights=data.weights[chosen],
        timestamps=data.timestamps[chosen],
    )
