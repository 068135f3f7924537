"""Measures models: each is asked for the same users, and its lists are compared with what was held out.

Every ranking goes over the whole catalogue without what the user already has. Figures are means over the users with
something to find; `coverage` is the share of the catalogue that is in anybody's list.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.data import Float64, History, Int32, Interactions, ItemInfo
from models.histories import Histories, add_histories
from models.writer import Parts
from training.beyond import Learnt
from training.console import peak_mib
from training.errors import DatasetError
from training.findings import MAIN, Cost, Evaluation, Result
from training.fit import FitConfig, Recommend, fit_models, tidy
from training.metrics import NO_ITEM, PER_USER, measure, padded, per_user
from training.preprocessing import Prepared
from training.progress import Progress, Stage
from training.protocols import Cut, cut
from training.segments import SegmentFigure, figures, segments
from training.significance import Difference, differences, intervals
from training.splits import Split
from training.stopwatch import Stopwatch

CUTOFFS: Final = (10, 20)
BLEND: Final = "blend"
ONE_EVENT_SHARE: Final = 1e-9  # of any user's events: the cut takes at least one


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure."""

    cut: Cut = field(default_factory=Cut)
    cutoffs: Sequence[int] = CUTOFFS
    most_users: int = 0  # to ask for, drawn where there are more; 0: all

    def __post_init__(self) -> None:
        if not self.cutoffs or min(self.cutoffs) < 1 or self.most_users < 0:
            raise ValueError("cut-offs are 1 or more, users 0 or more")


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that recommends, and how long it took to fit."""

    recommend: Recommend
    fit_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The users who are asked for: what is told of them, and what they are to be told."""

    histories: Sequence[History | None]
    relevant: Sequence[Int32]
    lengths: NDArray[np.int64]  # of what is known of each
    had: Float64  # how many users took what each had, in the mean
    numbers: Mapping[str, int]  # of every item

    @classmethod
    def of(cls, split: Split, items: Sequence[ItemInfo], learnt: Learnt, plan: Plan) -> Asked:
        wanted = split.targets
        users = sorted(wanted)
        if plan.most_users and len(users) > plan.most_users:
            rng = np.random.default_rng(plan.cut.seed)
            users = sorted(rng.choice(users, plan.most_users, replace=False).tolist())
        told = histories_of(split.known, items)
        lengths = np.bincount(split.known.users, minlength=len(split.known.user_ids))
        takers = np.bincount(split.known.users, learnt.takers[split.known.items], minlength=len(lengths))
        return cls(
            [told.of(split.known.user_ids[user]) for user in users],
            [wanted[user] for user in users],
            lengths[users],
            (takers / np.maximum(lengths, 1))[users],
            {id_: number for number, id_ in enumerate(split.known.item_ids)},
        )


def histories_of(known: Interactions, items: Sequence[ItemInfo]) -> Histories:
    """As a bundle would have them."""
    data, _ = tidy(known, items)
    parts = Parts({})
    parts.tables["users"] = pa.table({"id": pa.array(list(data.user_ids), pa.string())})
    parts.tables["items"] = pa.table({"id": pa.array(list(data.item_ids), pa.string())})
    add_histories(parts, data)
    return Histories(parts)


def evaluate(
    dataset: str, prepared: Prepared, plan: Plan, config: FitConfig, progress: Progress, split: Split | None = None
) -> Evaluation:
    """Fits every model on what the protocol leaves to learn from, and measures them; `split`: a cut made already."""
    split = split or cut(prepared.interactions, plan.cut)
    return compare(dataset, prepared, plan, split, fitted(prepared, plan, split, config, progress), progress)


def fitted(
    prepared: Prepared, plan: Plan, split: Split, config: FitConfig, progress: Progress
) -> Mapping[str, Contender]:
    """Every model a fit gives."""
    _something_to_find("the data", plan, split)
    watch = Stopwatch(progress)
    models = fit_models(split.train, prepared.items, tuned_alike(config, plan.cut.protocol), watch)
    return {name: Contender(ask, watch.fitting(name)) for name, ask in models.scorers().items()}


def compare(
    dataset: str,
    prepared: Prepared,
    plan: Plan,
    split: Split,
    contenders: Mapping[str, Contender],
    progress: Progress,
) -> Evaluation:
    """The last of the contenders is tested against each other one."""
    _something_to_find(dataset, plan, split)
    learnt = Learnt.of(split.train)
    asked = Asked.of(split, prepared.items, learnt, plan)
    parts = list(segments(asked.lengths, asked.relevant, learnt.takers))
    results: list[Result] = []
    costs: list[Cost] = []
    of_segments: list[SegmentFigure] = []
    main: dict[str, Float64] = {}
    size, first = len(asked.numbers), plan.cutoffs[0]
    for model, contender in contenders.items():
        begun = time.monotonic()
        with progress.stage(f"ask {model}", len(asked.histories)) as stage:
            ranked = rankings(contender.recommend, asked.histories, asked.numbers, stage, max(plan.cutoffs))
        costs.append(Cost(model, contender.fit_seconds, time.monotonic() - begun, peak_mib()))
        results += _results(model, ranked, asked, learnt, plan)
        main[model] = per_user(ranked, asked.relevant, size, first)[MAIN]
        of_segments += [figures(part, model, ranked, size, first) for part in parts]
    return Evaluation(
        dataset,
        str(plan.cut),
        len(split.train),
        len(split.test),
        len(asked.histories),
        size,
        plan.cutoffs,
        results,
        _compared(main, plan.cut.seed),
        of_segments,
        costs,
    )


def _compared(main: Mapping[str, Float64], seed: int) -> list[Difference]:
    """The last model against each other one, and the blend, where it is another, against each before it."""
    models = list(main)
    references = [name for name in models if name in (BLEND, models[-1])]
    return [
        one
        for reference in references
        for one in differences(main, reference, models[: models.index(reference)], np.random.default_rng(seed))
    ]


def _something_to_find(dataset: str, plan: Plan, split: Split) -> None:
    if not split.targets:
        raise DatasetError(
            f"{dataset}: the protocol {plan.cut.protocol} leaves no user with something to find; choose another"
        )


def _results(model: str, ranked: Int32, asked: Asked, learnt: Learnt, plan: Plan) -> list[Result]:
    found = []
    for k in plan.cutoffs:
        columns = per_user(ranked, asked.relevant, len(asked.numbers), k)
        sure = intervals(np.stack(list(columns.values()), axis=1), np.random.default_rng(plan.cut.seed))
        found += [Result(model, name, k, *asdict(one).values()) for name, one in zip(columns, sure, strict=True)]
        whole = measure(ranked, asked.relevant, len(asked.numbers), k).items()
        found += [Result(model, name, k, value) for name, value in whole if name not in PER_USER]
        found += [Result(model, name, k, value) for name, value in learnt.measure(ranked, asked.had, k).items()]
    return found


def tuned_alike(config: FitConfig, protocol: str) -> FitConfig:
    """The settings with the slice the blend is tuned on cut as the protocol cuts: for leave-one-out, one event each."""
    if protocol != "leave-one-out":
        return config
    return replace(config, blend=replace(config.blend, held_out_share=ONE_EVENT_SHARE))


def rankings(
    recommend: Recommend,
    histories: Sequence[History | None],
    numbers: Mapping[str, int],
    stage: Stage,
    depth: int = max(CUTOFFS),
) -> Int32:
    """For each history the numbers of the items it leads to; an item that has none takes a place and is not right."""
    lists = []
    for history in histories:
        lists.append([numbers.get(item, NO_ITEM) for item in recommend(history, depth)])
        stage.advance()
    return padded(lists, depth)
