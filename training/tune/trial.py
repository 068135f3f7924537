"""What settings are worth: models are fitted on a part of the learning part, and measured on the rest of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from models.data import Float64, ItemInfo
from models.writer import Parts
from training.beyond import Learnt
from training.evaluate import Asked, Plan, rankings, tuned_alike
from training.fit import FitConfig, fit_models
from training.metrics import per_user
from training.progress import Progress
from training.splits import Split
from training.stages import Stages

METRIC = "ndcg"
TEXTS = "texts"  # the stage that tuning leaves as it is


class SameTexts:
    """Keeps what is learnt from texts alone from trial to trial."""

    def __init__(self) -> None:
        self._texts: Parts | None = None

    def kept(self, name: str, make: Callable[[], Parts]) -> Parts:
        if name != TEXTS:
            return make()
        if self._texts is None:
            self._texts = make()
        return self._texts


class Validation:
    """The users of a validation part and the models that are to tell what they took to."""

    def __init__(self, items: Sequence[ItemInfo], split: Split, plan: Plan, model: str, progress: Progress) -> None:
        self._items, self._split, self._plan, self._model, self._progress = items, split, plan, model, progress
        self._asked = Asked.of(split, items, Learnt.of(split.train), plan)
        self._stages: Stages = SameTexts()

    @property
    def users(self) -> int:
        return len(self._asked.histories)

    def measure(self, config: FitConfig) -> Float64:
        """NDCG at the plan's cut-off for every user."""
        # No trees but where they are what is measured: they take as long as all the rest.
        trees = config.ranker.trees if self._model == "ranker" else 0
        config = replace(config, ranker=replace(config.ranker, trees=trees))
        settings = tuned_alike(config, self._plan.cut.protocol)
        models = fit_models(self._split.train, self._items, settings, self._progress, self._stages).scorers()
        recommend = models.get(self._model, models["blend"])  # a ranker that did not win is not kept
        depth = self._plan.cutoffs[0]
        with self._progress.stage(f"ask {self._model}", self.users) as stage:
            ranked = rankings(recommend, self._asked.histories, self._asked.numbers, stage, depth)
        return per_user(ranked, self._asked.relevant, len(self._asked.numbers), depth)[METRIC]
