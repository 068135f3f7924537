"""Measures what is learnt from texts: sentiment, categories, topics, where new items stand, reviews as weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models import categories, topics
from models.content import inverse_frequencies, item_text
from models.data import ItemInfo
from models.histories import Histories
from models.tokenizer import Tokenizer, train
from training.cold_items import K, cold_items
from training.console import table
from training.datasets.model import Dataset
from training.errors import DatasetError
from training.evaluate import rankings
from training.fit import fit_models, tidy
from training.metrics import measure
from training.preprocessing import prepare
from training.progress import Progress
from training.reviews import Examples, examples_of, folds, judge, out_of_fold
from training.settings import TrainingSettings
from training.splits import temporal

SENTIMENT_FOLDS: Final = 10
CATEGORY_FOLDS: Final = 5
COLD_SEEDS: Final = 3
SHARES: Final = (0.0, 0.5, 1.0)  # of the text beside the stars


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    part: str
    model: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Language:
    """What was measured, or why not."""

    figures: Sequence[Figure]
    notes: Sequence[str]

    def lines(self) -> Iterator[str]:
        """A table for each part, a row for each model."""
        for part in dict.fromkeys(one.part for one in self.figures):
            own = [one for one in self.figures if one.part == part]
            metrics = list(dict.fromkeys(one.metric for one in own))
            values = {(one.model, one.metric): f"{one.value:.4f}" for one in own}
            models = dict.fromkeys(one.model for one in own)
            rows = [(model, *(values.get((model, metric), "") for metric in metrics)) for model in models]
            yield from table((part, *metrics), rows)
            yield ""
        yield from self.notes


Part = Callable[[Dataset, TrainingSettings, Progress], Language]


def sentiment(dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Language:
    """Each review is judged by a model fitted without it."""
    examples, _ = examples_of(dataset)
    if not examples.enough(settings.sentiment.least_reviews):
        return Language([], ["sentiment: too few reviews with stars"])
    rng = np.random.default_rng(settings.fit.seed)
    with progress.stage("sentiment", SENTIMENT_FOLDS) as stage:
        found = out_of_fold(examples, settings.sentiment, SENTIMENT_FOLDS, rng, stage.advance) > 0
    usual = np.full(len(found), examples.good.mean() >= 0.5)
    counts = f"sentiment: {int(examples.good.sum()):,} good and {int((~examples.good).sum()):,} bad reviews"
    return Language([*_told_apart("sentiment", found, examples), *_told_apart("the usual", usual, examples)], [counts])


def _told_apart(model: str, found: NDArray[np.bool_], examples: Examples) -> list[Figure]:
    good = examples.good
    both = np.stack([found, ~found], axis=1), np.stack([good, ~good], axis=1)
    return [
        Figure(f"sentiment, {SENTIMENT_FOLDS}-fold", model, "accuracy", float((found == good).mean())),
        Figure(f"sentiment, {SENTIMENT_FOLDS}-fold", model, "macro-f1", macro_f1(*both)),
    ]


def category(dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Language:
    """The tokenizer has seen every text, and no category."""
    config = settings.fit.categories
    items = categories.learnable(prepare(dataset, settings.preprocessing).items)
    names = categories.names_of(items, config)
    if not names:
        return Language([], ["categories: too few items with categories and texts"])
    rows = _without_categories(items, settings, progress)
    told = categories.has(items, names)
    predicted, usual = np.zeros_like(told), np.zeros_like(told)
    rng = np.random.default_rng(settings.fit.seed)
    with progress.stage("categories", CATEGORY_FOLDS * len(names)) as stage:
        for learned, asked in folds(len(items), CATEGORY_FOLDS, rng):
            weights, offsets = categories.fit_lines(rows[learned], told[learned], config, stage.advance)
            predicted[asked] = rows[asked] @ weights + offsets > 0
            usual[np.ix_(asked, np.argsort(-told[learned].sum(axis=0), kind="stable")[:2])] = True
    part = f"categories, {CATEGORY_FOLDS}-fold"
    return Language(
        [
            Figure(part, model, metric, measured(found, told))
            for model, found in (("predicted", predicted), ("the two commonest", usual))
            for metric, measured in (("micro-f1", micro_f1), ("macro-f1", macro_f1))
        ],
        [f"categories: {len(names)} of them on {len(items):,} items"],
    )


def _without_categories(items: Sequence[ItemInfo], settings: TrainingSettings, progress: Progress) -> Any:
    texts = [item_text(replace(item, categories=())) for item in items]
    with progress.stage("tokenizer", 1) as stage:
        tokenizer = Tokenizer(train(texts, settings.fit.tokenizer))
        idf = inverse_frequencies(tokenizer.encode(texts), len(tokenizer))
        stage.advance()
    return categories.rows_of(tokenizer, idf, items)


def topic(dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Language:
    prepared = prepare(dataset, settings.preprocessing)
    _, items = tidy(prepared.interactions, prepared.items)  # in the order of a bundle: the topics are its own
    with progress.stage("topics", settings.fit.topics.steps) as stage:
        rng = np.random.default_rng(settings.fit.seed)
        told = topics.fit(items, settings.fit.topics, rng, stage.advance).json("topics")
    if not told["labels"]:
        return Language([], ["topics: too few texts"])
    best = sorted(zip(told["npmi"], told["labels"], strict=True), reverse=True)
    labels = [f"topic: {label} ({value:.2f})" for value, label in best]
    return Language([Figure("topics", f"{len(best)} topics", "npmi", float(np.mean(told["npmi"])))], labels)


def cold(dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Language:
    prepared = prepare(dataset, settings.preprocessing)
    if not any(map(item_text, prepared.items)):
        return Language([], ["cold items: no item has a text"])
    found = cold_items(prepared.interactions, prepared.items, settings.fit, COLD_SEEDS, progress)
    metric = f"recall@{K}"
    figures = []
    for name in found[0].recall:
        values = [one.recall[name] for one in found]
        figures.append(Figure("cold items", name, metric, float(np.mean(values))))
        figures += [Figure("cold items", name, f"seed {seed}", value) for seed, value in enumerate(values)]
    counts = ", ".join(f"{one.hidden:,} items hidden and {one.users:,} users asked for" for one in found[:1])
    return Language(figures, [f"cold items: {counts}, {COLD_SEEDS} times"])


def review(dataset: Dataset, settings: TrainingSettings, progress: Progress) -> Language:
    """What is held out, and what of it is right, is the same each time: only what is learnt from has other weights."""
    if not dataset.events.texts or not examples_of(dataset)[0].enough(settings.sentiment.least_reviews):
        return Language([], ["reviews as weights: too few reviews with stars"])
    prepared = prepare(dataset, settings.preprocessing)
    wanted = temporal(prepared.interactions).targets
    figures = []
    for share in SHARES:
        config = replace(settings.sentiment, share_beside_stars=share)
        judged = judge(dataset, config, settings.fit.seed, progress)
        split = temporal(prepare(dataset, settings.preprocessing, judged).interactions)
        models = fit_models(split.train, prepared.items, settings.fit, progress)
        known = Histories(models.parts)
        histories = [known.of(split.train.user_ids[user]) for user in wanted]
        numbers = {id_: number for number, id_ in enumerate(split.train.item_ids)}
        scorers = models.scorers()
        for name in ("popularity", "ials", "blend"):
            with progress.stage(f"ask {name}", len(histories)) as stage:
                ranked = rankings(scorers[name], histories, numbers, stage)
            value = measure(ranked, list(wanted.values()), len(numbers), K)["ndcg"]
            figures.append(Figure(f"reviews as weights, ndcg@{K}", name, f"{share:.0%} text", value))
    return Language(figures, [f"reviews as weights: temporal, {len(wanted):,} users asked for"])


PARTS: Mapping[str, Part] = {
    "sentiment": sentiment,
    "categories": category,
    "topics": topic,
    "cold-items": cold,
    "reviews": review,
}


def measure_language(
    dataset: Dataset, parts: Sequence[str], settings: TrainingSettings, progress: Progress
) -> Language:
    found = [PARTS[part](dataset, settings, progress) for part in parts]
    if not any(one.figures for one in found):
        reasons = "; ".join(note for one in found for note in one.notes)
        raise DatasetError(f"{dataset.path}: nothing can be measured: {reasons}")
    return Language([figure for one in found for figure in one.figures], [note for one in found for note in one.notes])


def micro_f1(found: NDArray[np.bool_], told: NDArray[np.bool_]) -> float:
    """Over all pairs of a row and a column; 1 where there is nothing to find and nothing found."""
    size = int(found.sum()) + int(told.sum())
    return 2 * int((found & told).sum()) / size if size else 1.0


def macro_f1(found: NDArray[np.bool_], told: NDArray[np.bool_]) -> float:
    """The mean over the columns."""
    return float(np.mean([micro_f1(found[:, [place]], told[:, [place]]) for place in range(told.shape[1])]))
