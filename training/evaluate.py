"""Measures each model and their blend: fitted on one part of the data, asked for the other.

Every ranking goes over the whole catalogue without what the user already has. Figures are means over the users with
something to find; `coverage` is the share of the catalogue that is in anybody's list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.data import History, Int32
from models.histories import Histories
from training.console import table
from training.errors import DatasetError
from training.fit import FitConfig, Recommend, fit_models
from training.metrics import METRICS, measure, padded
from training.preprocessing import Prepared
from training.progress import Progress, Stage
from training.splits import PROTOCOLS, targets

CUTOFFS = (10, 20)
ONE_EVENT_SHARE = 1e-9  # of any user's events: the cut takes at least one


@dataclass(frozen=True, slots=True)
class Result:
    """One figure."""

    model: str
    metric: str
    k: int
    value: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a protocol says of the models on a dataset."""

    dataset: str
    protocol: str
    train_events: int
    test_events: int
    users: int  # who were asked for
    items: int
    results: Sequence[Result]

    def as_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "train_events": self.train_events,
            "test_events": self.test_events,
            "users": self.users,
            "items": self.items,
            "results": [
                {"model": one.model, "metric": one.metric, "k": one.k, "value": one.value} for one in self.results
            ],
        }

    def lines(self) -> Iterator[str]:
        """A table for each cut-off, a row for each model."""
        values = {(one.model, one.metric, one.k): one.value for one in self.results}
        models = list(dict.fromkeys(one.model for one in self.results))
        for k in CUTOFFS:
            header = ("model", *(f"{metric}@{k}" for metric in METRICS))
            yield from table(
                header, [(model, *(f"{values[model, metric, k]:.4f}" for metric in METRICS)) for model in models]
            )
            yield ""


def evaluate(dataset: str, prepared: Prepared, protocol: str, config: FitConfig, progress: Progress) -> Evaluation:
    split = PROTOCOLS[protocol](prepared.interactions)
    wanted = targets(split)
    if not wanted:
        raise DatasetError(f"{dataset}: the protocol {protocol} leaves no user with something to find; choose another")
    models = fit_models(split.train, prepared.items, tuned_alike(config, protocol), progress)
    known = Histories(models.parts)
    histories = [known.of(split.train.user_ids[user]) for user in wanted]
    numbers = {id_: number for number, id_ in enumerate(split.train.item_ids)}
    results: list[Result] = []
    for model, recommend in models.scorers().items():
        with progress.stage(f"ask {model}", len(histories)) as stage:
            ranked = rankings(recommend, histories, numbers, stage)
        for k in CUTOFFS:
            found = measure(ranked, list(wanted.values()), len(numbers), k)
            results.extend(Result(model, metric, k, found[metric]) for metric in METRICS)
    return Evaluation(dataset, protocol, len(split.train), len(split.test), len(wanted), len(numbers), results)


def tuned_alike(config: FitConfig, protocol: str) -> FitConfig:
    """The settings with the slice the blend is tuned on cut as the protocol cuts: for leave-one-out, one event each."""
    if protocol != "leave-one-out":
        return config
    return replace(config, blend=replace(config.blend, held_out_share=ONE_EVENT_SHARE))


def rankings(
    recommend: Recommend, histories: Sequence[History | None], numbers: Mapping[str, int], stage: Stage
) -> Int32:
    """For each history the numbers of the items it leads to, as many as the deepest cut-off needs."""
    lists = []
    for history in histories:
        lists.append([numbers[item] for item in recommend(history, max(CUTOFFS))])
        stage.advance()
    return padded(lists, max(CUTOFFS))
