"""Fits the blend's weights: those that order held-out items best among the candidates serving would have.

Events are cut as the temporal protocol cuts them; the models are fitted on the earlier part and asked for the later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.blend import FOR_USERS, SHORT, Blend, candidates, standardized
from models.data import Float32, Float64, ItemInfo
from models.histories import Histories
from models.pipeline import LocalRecommender
from models.ranker import Ranker
from models.sparse import Int64
from models.writer import Parts
from training.progress import Progress
from training.questions import Question, newcomers_below, of_items, of_newcomers, of_texts, of_users
from training.splits import Split

Weights: TypeAlias = dict[str, float]

# The sources weighed on each surface: "title" and "words" say nothing of a user, "itemknn" and "ials" nothing of words.
WEIGHED: Mapping[str, tuple[str, ...]] = {
    "recommend": ("ials", "itemknn", "transitions", "ease", "rp3beta", "popularity", "trending", "content", "sequence"),
    "similar": ("ials", "itemknn", "transitions", "ease", "rp3beta", "popularity", "content"),
    "search": ("content", "title", "words", "popularity"),
}
K = 10  # the length of the lists that are reported
PLACES = 100  # of the longest lists whose NDCG may be raised
NOWHERE = -1e3  # the score of a place without a candidate: further down than any z-score


@dataclass(frozen=True, slots=True)
class BlendConfig:
    """Settings of the fit of the weights."""

    held_out_share: float = 0.2  # of each user's events, the latest
    questions: int = 1_000  # a surface, at most: one list of 10 says little, and each costs a search of a millisecond
    # The lists whose NDCG is raised. The longer one steadies what ten places leave to chance: weights fitted on half of
    # 1,000 questions did better on the other half than those fitted on ten places alone. With 6,000, of one film each,
    # ten alone told that film better: NDCG@10 .1623 instead of .1609.
    depths: tuple[int, ...] = (10, 50)
    # Popularity always counts a little, so that something orders the answer where nothing else speaks.
    least_popularity: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1 or self.questions < 1 or self.least_popularity <= 0:
            raise ValueError("held_out_share lies between 0 and 1, questions is 1 or more, least_popularity is above 0")
        if not self.depths or not all(1 <= depth <= PLACES for depth in self.depths):
            raise ValueError(f"depths are one or more numbers between 1 and {PLACES}")


def fit_blend(
    split: Split, parts: Parts, items: Sequence[ItemInfo], config: BlendConfig, seed: int, progress: Progress
) -> tuple[dict[str, Any], dict[str, Any], LocalRecommender]:
    """The document of the blend, NDCG@10 of each source and of the blend on the held-out slice, and who was asked.

    `parts` were fitted on the part before the slice; they take the weights.
    """
    parts.documents["blend"] = {surface: dict.fromkeys(names, 1.0) for surface, names in WEIGHED.items()}
    recommender = LocalRecommender(parts)
    rng = np.random.default_rng(seed)
    asked = {
        FOR_USERS: of_users(split, Histories(parts), recommender, config.questions, rng),
        "similar": of_items(split, recommender, config.questions, rng),
        "search": of_texts(items, parts.array("popularity"), recommender, config.questions, rng),
    }
    document: dict[str, Any] = {}
    metrics: dict[str, Any] = {}

    def fit(surface: str, questions: Sequence[Question], name: str) -> Weights:
        with progress.stage(f"blend: {name}", len(questions)) as stage:
            table = Table.of(surface, recommender, questions, stage.advance)
        weights = fit_surface(table, config.least_popularity, config.depths)
        metrics[name] = {f"ndcg@{K}": table.report(weights), "questions": len(questions)}
        return weights

    for surface, questions in asked.items():
        document[surface] = fit(surface, questions, surface)
    below = newcomers_below([len(question.query.history or ()) for question in asked[FOR_USERS]])
    newcomers = of_newcomers(asked[FOR_USERS], recommender, below)
    if newcomers:
        document[SHORT] = {"below": below, "weights": fit(FOR_USERS, newcomers, SHORT)}
    parts.documents["blend"] = document
    recommender.ranker = Ranker(Blend.of(parts))
    return document, metrics, recommender


@dataclass(frozen=True, slots=True)
class Table:
    """Questions by candidates by sources, filled up with places that come last."""

    sources: Sequence[str]
    scores: Float32
    relevant: NDArray[np.bool_]
    wanted: Int64  # how many items would be right

    @classmethod
    def of(
        cls,
        surface: str,
        recommender: LocalRecommender,
        questions: Sequence[Question],
        done: Callable[[int], None],
    ) -> Table:
        sources = WEIGHED[surface]
        found = []
        for question in questions:
            found.append(_candidates(surface, sources, recommender, question))
            done(1)
        width = max((len(scores) for scores, _ in found), default=0)
        scores = np.full((len(found), max(width, PLACES), len(sources)), NOWHERE, np.float32)
        relevant = np.zeros(scores.shape[:2], np.bool_)
        for row, (z_scores, hits) in enumerate(found):
            scores[row, : len(hits)] = z_scores
            relevant[row, : len(hits)] = hits
        return cls(sources, scores, relevant, np.array([len(question.relevant) for question in questions], np.int64))

    def ndcg(self, weights: Float64, depths: Sequence[int] = (K,)) -> float:
        """The mean over the questions, and over lists of these lengths."""
        total = self.scores @ weights.astype(np.float32)
        deepest = max(depths)
        best = np.argpartition(-total, deepest - 1, axis=1)[:, :deepest]
        order = np.argsort(-np.take_along_axis(total, best, axis=1), axis=1, kind="stable")
        hits = np.take_along_axis(self.relevant, np.take_along_axis(best, order, axis=1), axis=1)
        discounts = 1 / np.log2(np.arange(2, deepest + 2))
        ideal = np.cumsum(discounts)
        found = [hits[:, :k] @ discounts[:k] / ideal[np.minimum(self.wanted, k) - 1] for k in depths]
        return float(np.mean(found))

    def answerable(self) -> Table:
        """The questions with a right item among the candidates: weights change nothing of the others."""
        some = self.relevant.any(axis=1)
        return Table(self.sources, self.scores[some], self.relevant[some], self.wanted[some])

    def spoke(self) -> NDArray[np.bool_]:
        """Which sources had an opinion of any candidate."""
        told: NDArray[np.bool_] = (self.scores != 0) & (self.scores > NOWHERE)
        return np.asarray(told.any(axis=(0, 1)), np.bool_)

    def report(self, weights: Weights) -> dict[str, float]:
        """The quality of each source alone among the candidates, and of the blend."""
        if not len(self.scores):
            return {}
        told = zip(self.sources, np.eye(len(self.sources)), self.spoke(), strict=True)
        alone = {name: self.ndcg(row) if spoke else 0.0 for name, row, spoke in told}
        blend = self.ndcg(np.array([weights.get(name, 0.0) for name in self.sources]))
        return {name: round(value, 4) for name, value in {**alone, "blend": blend}.items()}


def _candidates(
    surface: str, sources: Sequence[str], recommender: LocalRecommender, question: Question
) -> tuple[Float64, NDArray[np.bool_]]:
    """The z-scores of a question's candidates and whether each is right, as `Blend.rank` sees them."""
    found = recommender.shard.search(question.query)
    columns = {name: column.astype(np.float64) for name, column in found.scores.items()}
    kept = candidates(surface, columns, question.query.count)
    scores = np.zeros((len(kept), len(sources)))
    for place, name in enumerate(sources):
        if name in columns:
            scores[:, place] = np.nan_to_num(standardized(columns[name][kept]))
    return scores, np.array([found.item_ids[place] in question.relevant for place in kept.tolist()], np.bool_)


def fit_surface(table: Table, least_popularity: float, depths: Sequence[int]) -> Weights:
    """Weights of one surface that add up to about 1; equal ones where there is nothing to learn from."""
    weights = table.spoke().astype(np.float64) if len(table.scores) else np.ones(len(table.sources))
    told = table.answerable()
    if weights.any() and len(told.scores):
        known: dict[bytes, float] = {}  # finer steps come back to where coarser ones were

        def quality(tried: Float64) -> float:
            place = tried.tobytes()
            if place not in known:
                known[place] = told.ndcg(tried, depths)
            return known[place]

        places = np.flatnonzero(weights)
        few = climb(quality, added_up(quality, places, len(weights)), places)
        weights = max(climb(quality, weights, places), few, key=quality)  # of equal ones all sources: more is heard
    weights /= weights.sum() or 1.0
    place = table.sources.index("popularity")
    weights[place] = max(weights[place], least_popularity)
    # Four digits: more would say what the questions cannot.
    rounded = {name: round(weight, 4) for name, weight in zip(table.sources, weights.tolist(), strict=True)}
    return {name: weight for name, weight in rounded.items() if weight > 0}


def added_up(quality: Callable[[Float64], float], places: Int64, width: int) -> Float64:
    """From the best single one on, always the addition that gains most, until none gains.

    A climb from all sources at once may end where several that resemble each other stand for a better one.
    """
    weights = max((np.eye(width)[place] for place in places), key=quality)
    best = quality(weights)
    while True:
        tried = [weights + share * np.eye(width)[place] for place in places for share in (0.1, 0.25, 0.5, 1.0)]
        found = [quality(each) for each in tried]
        if max(found) <= best + 1e-6:
            return np.asarray(weights, np.float64)
        best, weights = max(found), tried[int(np.argmax(found))]
        weights = weights / weights.sum()


def climb(quality: Callable[[Float64], float], start: Float64, places: Int64) -> Float64:
    """One weight after the other to where the quality is best, in finer and finer steps, until nothing gains.

    Only those at `places` move. Quality is a step function of the weights, so there is no gradient to follow; with a
    handful of weights this takes some hundred looks.
    """
    weights, best = start.copy(), quality(start)
    for factors in ((0.0, 0.25, 0.5, 2.0, 4.0), (0.5, 0.7, 1.4, 2.0), (0.8, 0.9, 1.1, 1.25)):
        gained = True
        while gained:
            gained = False
            for place in places.tolist():
                for factor in factors:
                    tried = weights.copy()
                    # One that counts nothing gets a chance at an eighth of the largest.
                    tried[place] = tried[place] * factor if tried[place] else start.max() / 8
                    if not tried.any():
                        continue  # everything ties: what comes first then is chance
                    found = quality(tried)
                    if found > best + 1e-6:
                        weights, best, gained = tried, found, True
    return weights
