"""What the reviews of a dataset say: learnt from those with stars, asked of those without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data import Float32
from models.events import STARRED
from models.sentiment import Sentiment, SentimentConfig, fit
from models.sparse import Int64
from training.datasets.model import Dataset
from training.progress import Progress

GOOD, BAD = 4.0, 2.0  # stars from which, and up to which, a review is called so; what lies between teaches nothing
MOST_EXAMPLES: Final = 50_000  # reviews that are learnt from: more gained little, and take memory
FOLDS: Final = 5  # reviews that are learnt from are judged by a model that has not seen them
READ_AT_ONCE: Final = 1_000  # bounds the memory of a batch


@dataclass(frozen=True, slots=True)
class Examples:
    """Reviews that are known to be good or bad."""

    texts: Sequence[str]
    good: NDArray[np.bool_]

    def only(self, places: Int64) -> Examples:
        return Examples([self.texts[place] for place in places.tolist()], self.good[places])

    def enough(self, least: int) -> bool:
        return min(int(self.good.sum()), int((~self.good).sum())) >= least


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of the reviews."""

    sentiment: Sentiment | None = None
    opinions: Mapping[int, float] = field(default_factory=dict)  # by row of the events, from -1 to 1
    unread: int = 0  # reviews that have nothing but their text, and too few others to learn from


def examples_of(dataset: Dataset) -> tuple[Examples, Int64]:
    """Every review that has stars, and opinions the dataset brings along; and the row of each event, -1: none."""
    events = dataset.events
    starred = np.array([name in STARRED for name in events.types], np.bool_)
    rows = [row for row in events.texts if starred[events.kinds[row]] and _clear(float(events.values[row]))]
    told = [(text, stars) for text, stars in dataset.opinions if _clear(stars)]
    texts = [events.texts[row] for row in rows] + [text for text, _ in told]
    good = np.array([events.values[row] >= GOOD for row in rows] + [stars >= GOOD for _, stars in told], np.bool_)
    return Examples(texts, good), np.array(rows + [-1] * len(told), np.int64)


def _clear(stars: float) -> bool:
    return stars >= GOOD or stars <= BAD


def judge(dataset: Dataset, config: SentimentConfig, seed: int, progress: Progress) -> Judged:
    """Learns from the reviews with stars, and reads those whose text counts."""
    wanted = _to_read(dataset, config)
    examples, rows = examples_of(dataset)
    if not examples.enough(config.least_reviews):
        return Judged(unread=int(np.isnan(dataset.events.values[wanted]).sum()))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(rows))[:MOST_EXAMPLES])
    examples, rows = examples.only(chosen), rows[chosen]
    with progress.stage("sentiment", 1) as stage:
        sentiment = fit(examples.texts, examples.good, config)
        stage.advance()
    unlearnt = np.setdiff1d(wanted, rows)
    with progress.stage("read reviews", len(unlearnt)) as stage:
        opinions = _read(dataset, unlearnt, sentiment, stage.advance)
    if len(unlearnt) < len(wanted):
        with progress.stage("read reviews that were learnt from", FOLDS) as stage:
            unseen = out_of_fold(examples, config, FOLDS, rng, stage.advance)
        opinions |= {row: float(each) for row, each in zip(rows.tolist(), unseen, strict=True) if row >= 0}
    return Judged(sentiment, opinions)


def _read(dataset: Dataset, rows: Int64, sentiment: Sentiment, done: Callable[[int], None]) -> dict[int, float]:
    opinions: dict[int, float] = {}
    for start in range(0, len(rows), READ_AT_ONCE):
        batch = rows[start : start + READ_AT_ONCE].tolist()
        found = sentiment.opinions([dataset.events.texts[row] for row in batch])
        opinions |= dict(zip(batch, found.tolist(), strict=True))
        done(len(batch))
    return opinions


def _to_read(dataset: Dataset, config: SentimentConfig) -> Int64:
    """The rows whose text counts."""
    events = dataset.events
    rows = np.array(sorted(events.texts), np.int64)
    starred = np.array([name in STARRED for name in events.types], np.bool_)[events.kinds[rows]]
    return rows[starred & (np.isnan(events.values[rows]) | (config.share_beside_stars > 0))]


def folds(rows: int, count: int, rng: np.random.Generator) -> Iterator[tuple[Int64, Int64]]:
    """Rows to learn from and rows to ask for, `count` times; every row is asked for once."""
    fold = rng.permutation(rows) % count
    for number in range(count):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def out_of_fold(
    examples: Examples, config: SentimentConfig, count: int, rng: np.random.Generator, done: Callable[[int], None]
) -> Float32:
    """Of each example the opinion of a model that was fitted on the other folds."""
    found = np.zeros(len(examples.texts), np.float32)
    for learned, asked in folds(len(found), count, rng):
        part = examples.only(learned)
        found[asked] = fit(part.texts, part.good, config).opinions(examples.only(asked).texts)
        done(1)
    return found
