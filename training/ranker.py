"""Fits the ranker's trees on a slice of time, and keeps them where they win on the slice after it.

The sources are fitted on what came before each slice, the candidates are those serving would have, and the features
are computed by the lines that serve. LambdaMART after Burges, "From RankNet to LambdaRank to LambdaMART" (2010).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data import Float32
from models.features import Features
from models.histories import Histories
from models.lambdamart import LEAVES, Splits, Trees, splits_of
from models.pipeline import CANDIDATES_PER_SOURCE, LocalRecommender
from models.ranker import DEPTH, SURFACE, able, head, no_ranker, reordered
from models.sparse import Int64
from models.writer import Parts
from training.progress import Progress
from training.questions import Question, of_steps_in_turn, of_users_in_turn, shortest_history
from training.splits import Split
from training.weights import WEIGHED, K

RANKED: Final = WEIGHED[SURFACE]
PROBED: Final = 100  # questions that tell which sources speak
SPEAKS_UP: Final = 0.5  # of the questions: a source that spoke in fewer is none to rank by


@dataclass(frozen=True, slots=True)
class RankerConfig:
    """Settings of the ranker.

    The figures are NDCG@10 on the part that tuning sees: of ml-latest-small, the mean of two seeds, and of purchases in
    order, with 8,000 questions a slice.
    """

    # A slice, of those with a right candidate, at most. The others teach nothing, and of sparse purchases they are
    # seven in ten: 3,000 asked whatever comes gave .0757, 3,000 that can teach .0768.
    questions: int = 3_000
    asked: int = 20_000  # a slice, at most, whatever their candidates: each costs a search of one or two milliseconds
    # 1: the slice before is asked for as the latest one. More: so many of each user's latest events before that are
    # asked for one by one, each told what came before it. Few users with long histories teach more that way.
    steps: int = 1
    least_questions: int = 200  # with fewer, trees learn chance: none are grown
    negatives: int = 50  # of a question's wrong candidates so many at random; 150 gave .202 and .074, the same
    trees: int = 150
    leaves: int = 7  # few and small trees: with 4 leaves .199 and .073, with 7 .202 and .074, with 15 .199 and .074
    least_in_leaf: int = 100
    learning_rate: float = 0.1
    # How sure the gain on the later slice must be, in standard errors of the mean of the paired differences: one in
    # twenty rankers that gain nothing would pass.
    least_gain: float = 1.64

    def __post_init__(self) -> None:
        if min(self.questions, self.asked, self.steps, self.least_questions, self.negatives, self.least_in_leaf) < 1:
            raise ValueError("questions, asked, steps, least_questions, negatives and least_in_leaf are 1 or more")
        if self.trees < 0:
            raise ValueError("trees is 0 or more")
        if not 2 <= self.leaves <= LEAVES or self.learning_rate <= 0:
            raise ValueError(f"leaves lies between 2 and {LEAVES}, learning_rate above 0")

    @property
    def one_by_one(self) -> bool:
        """Whether the slice to learn on is asked for event by event."""
        return self.steps > 1


@dataclass(frozen=True, slots=True)
class Lessons:
    """Candidates by features, a run of rows for each question."""

    table: Float32
    relevant: NDArray[np.bool_]
    sizes: Int64  # rows of each question


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's candidates in the blend's order, and what of them the trees may order: nothing if none is right."""

    places: Int64
    table: Float32
    relevant: NDArray[np.bool_]  # of all candidates down to DEPTH
    wanted: int  # how many items would be right
    entries: int  # of the history


class Notes:
    """What is kept of questions as they go by: what they teach, and how long their histories were.

    Of each question what was right and a sample of what was wrong; nothing is learnt where nothing was right.
    """

    def __init__(self, config: RankerConfig, rng: np.random.Generator) -> None:
        self._negatives, self._rng = config.negatives, rng
        self.tables: list[Float32] = []
        self.answers: list[NDArray[np.bool_]] = []
        self._entries: list[int] = []

    def taken(self, asked: Iterable[Asked]) -> Iterator[Asked]:
        """The same questions, once they are noted."""
        for each in asked:
            self._take(each)
            yield each

    def _take(self, asked: Asked) -> None:
        self._entries.append(asked.entries)
        relevant = asked.relevant[asked.places]
        wrong = np.flatnonzero(~relevant)
        if relevant.any() and len(wrong):
            some = self._rng.choice(wrong, min(self._negatives, len(wrong)), replace=False)
            chosen = np.sort(np.concatenate([np.flatnonzero(relevant), some]))
            self.tables.append(asked.table[chosen])
            self.answers.append(relevant[chosen])

    @property
    def shortest_history(self) -> int:
        return shortest_history(self._entries)


def lessons(*notes: Notes) -> Lessons:
    """What all of them teach."""
    tables = [table for each in notes for table in each.tables]
    if not tables:
        return Lessons(np.zeros((0, 0), np.float32), np.zeros(0, np.bool_), np.zeros(0, np.int64))
    answers = [answer for each in notes for answer in each.answers]
    return Lessons(np.concatenate(tables), np.concatenate(answers), np.array([len(table) for table in tables]))


class Course:
    """The questions of one slice, answered by models fitted before it."""

    def __init__(
        self,
        split: Split,
        parts: Parts,
        recommender: LocalRecommender,
        config: RankerConfig,
        seed: int,
        one_by_one: bool = False,
    ) -> None:
        """`one_by_one`: every event of the slice is a question of its own."""
        self._recommender = recommender  # of the parts
        self._parts, self._split = parts, split
        self._config, self._seed = config, seed
        self._one_by_one = one_by_one

    def __len__(self) -> int:
        """How many questions there are at most."""
        wanted = self._split.targets
        every = sum(map(len, wanted.values())) if self._one_by_one else len(wanted)
        return min(every, self._config.asked)

    def sources(self) -> list[str]:
        """Those that speak often enough to be ranked by."""
        found = [self._recommender.shard.search(question.query).scores for question in self._questions(PROBED)]
        spoke = {name: sum(name in scores and not np.isnan(scores[name]).all() for scores in found) for name in RANKED}
        return [name for name, times in spoke.items() if times > SPEAKS_UP * len(found)]

    def asked(self, sources: Sequence[str], done: Callable[[int], None]) -> Iterator[Asked]:
        """Of the questions that the trees would have a say in, until enough have a right candidate."""
        features, answerable = Features(self._parts, sources), 0
        for question in self._questions(self._config.asked):
            each = self._ask(question, features)
            done(1)
            if each is not None:
                answerable += bool(each.relevant.any())
                yield each
            if answerable == self._config.questions:
                break

    def _questions(self, most: int) -> Iterator[Question]:
        ask = of_steps_in_turn if self._one_by_one else of_users_in_turn
        rng = np.random.default_rng(self._seed)
        return ask(self._split, Histories(self._parts), self._recommender, most, rng)

    def _ask(self, question: Question, features: Features) -> Asked | None:
        query = question.query
        found = self._recommender.shard.search(query)
        if query.history is None or not able(features, found.scores):
            return None
        blend = self._recommender.ranker.blend
        ranked = blend.rank(SURFACE, found.item_ids, found.scores, 0, CANDIDATES_PER_SOURCE)
        best = [found.item_ids[place] for place in ranked.order[:DEPTH].tolist()]
        relevant = np.array([item in question.relevant for item in best], np.bool_)
        nothing = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        places, table = (
            head(features, ranked, found.item_ids, found.scores, query.history) if relevant.any() else nothing
        )
        return Asked(places, table, relevant, len(question.relevant), len(query.history))


def enough(split: Split, config: RankerConfig) -> bool:
    return len(split.targets) >= config.least_questions


def without_ranker(reason: str) -> tuple[Parts, dict[str, Any]]:
    """What stands for the parts of a ranker, and for what a slice says of it."""
    parts = Parts({})
    no_ranker(parts)
    return parts, {"kept": False, "reason": reason}


def fit_ranker(
    earlier: Course, later: Course, config: RankerConfig, seed: int, progress: Progress
) -> tuple[Parts, dict[str, Any]]:
    """The trees as parts of a bundle, and what the later slice says of them."""
    sources, rng = earlier.sources(), np.random.default_rng(seed)
    learnt, judged = Notes(config, rng), Notes(config, rng)
    with progress.stage("ranker: lessons", len(earlier)) as stage:
        for _ in learnt.taken(earlier.asked(sources, stage.advance)):
            pass
    with progress.stage("ranker: trees", 1) as stage:
        trees = Trees(grow(lessons(learnt), config, seed))
        stage.advance()
    with progress.stage("ranker: verdict", len(later)) as stage:
        verdict = compared(judged.taken(later.asked(sources, stage.advance)), trees, config)
    parts = Parts({})
    no_ranker(parts)
    if verdict["kept"]:  # what came later teaches as well: .202 instead of .191
        with progress.stage("ranker: trees of both", 1) as stage:
            grow(lessons(learnt, judged), config, seed).add_to(parts)
            stage.advance()
        shortest = min(learnt.shortest_history, judged.shortest_history)
        parts.documents["ranker"] = {"sources": sources, "shortest_history": shortest}
    return parts, verdict


def said(verdict: Mapping[str, Any], config: RankerConfig) -> str:
    """What a fit tells of `verdict`."""
    kept = "kept" if verdict["kept"] else "left out"
    if "reason" in verdict:
        return f"ranker: {kept}, {verdict['reason']}"
    found = verdict[f"ndcg@{K}"]
    return (
        f"ranker: {kept}, NDCG@{K} {found['ranker']:.4f} on the latest slice where the blend has {found['blend']:.4f}: "
        f"{verdict['standard errors']:+.1f} standard errors, {config.least_gain:g} are asked for"
    )


def compared(judged: Iterable[Asked], trees: Trees, config: RankerConfig) -> dict[str, Any]:
    """The ranker beside the blend, question by question."""
    found = [
        (ndcg(each.relevant, each.wanted), ndcg(_answered(each, trees), each.wanted), bool(each.relevant.any()))
        for each in judged
    ]
    before, after, answerable = np.array(found or [(0.0, 0.0, False)]).T
    gains = after - before
    gain, error = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
    return {
        "kept": gain > max(config.least_gain * error, 0.0),
        f"ndcg@{K}": {"blend": round(float(before.mean()), 4), "ranker": round(float(after.mean()), 4)},
        "standard errors": round(gain / error, 2) if error else 0.0,
        "questions": len(found),
        "with a right candidate": int(answerable.sum()),
    }


def _answered(asked: Asked, trees: Trees) -> NDArray[np.bool_]:
    if not len(asked.places):
        return asked.relevant
    order = np.arange(len(asked.relevant))
    order[asked.places] = reordered(asked.places, trees, asked.table)
    return np.asarray(asked.relevant[order], np.bool_)


def ndcg(relevant: NDArray[np.bool_], wanted: int) -> float:
    """Of the first K places; `wanted` items would be right."""
    discounts = 1 / np.log2(np.arange(2, K + 2))
    return float(relevant[:K] @ discounts[: len(relevant)] / discounts[: min(wanted, K)].sum())


def grow(lessons: Lessons, config: RankerConfig, seed: int) -> Splits:
    """LambdaMART by LightGBM. One thread, and by rows: the same lessons give the same trees."""
    import lightgbm  # it takes half a second and serves nothing else

    settings = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 2 * K,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.least_in_leaf,
        "learning_rate": config.learning_rate,
        "feature_fraction": 0.5,
        "lambda_l2": 10.0,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    if not len(lessons.sizes):
        return splits_of({"tree_info": []})
    data = lightgbm.Dataset(lessons.table, lessons.relevant.astype(np.float32), group=lessons.sizes)
    return splits_of(lightgbm.train(settings, data, config.trees).dump_model())
