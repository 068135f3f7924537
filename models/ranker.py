"""The final order of candidates: the blend's, its head put in order again by trees where the bundle has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from models.blend import FOR_USERS, OF_TEXT, Blend, Ranked
from models.bundle import BundleData
from models.data import Float32, History
from models.features import Features
from models.lambdamart import Splits, Trees
from models.sparse import Int64
from models.writer import Parts

DEPTH: Final = 300  # of the blend's best are ordered by the trees: what stands further down is hardly ever right
SURFACE: Final = FOR_USERS  # the only surface with enough to learn from
EMBEDDED: Final = frozenset({"ials", "content", "sequence"})  # sources that are away when embedding is


class Ranker:
    """Orders candidates from what the sources said of them, and from what the user did."""

    def __init__(
        self, blend: Blend, features: Features | None = None, trees: Trees | None = None, shortest: int = 0
    ) -> None:
        self.blend = blend
        self._features = features
        self.trees = trees
        self._shortest = shortest  # history, in entries, that the trees have a say in

    @classmethod
    def of(cls, bundle: BundleData) -> Ranker:
        told = bundle.json("ranker")
        if not told["sources"]:
            return cls(Blend.of(bundle))
        trees = Trees(Splits.of(bundle))
        return cls(Blend.of(bundle), Features(bundle, told["sources"]), trees, told.get("shortest_history", 0))

    def rank(
        self,
        surface: str,
        item_ids: Sequence[str],
        scores: Mapping[str, Float32],
        count: int,
        candidates_per_source: int = 0,
        history: History | None = None,
    ) -> Ranked:
        """As `Blend.rank`, whose scores stay: the trees say which item gets which.

        Without a history, with one shorter than the trees have learnt from, with a text, and where a stage is away that
        they look at, the blend's order stands. They have learnt to order what its usual weights give.
        """
        features, trees, entries = self._features, self.trees, len(history or ())
        if features is None or trees is None or not history or entries < self._shortest:
            return self.blend.rank(surface, item_ids, scores, count, candidates_per_source, entries)
        if surface != SURFACE or not able(features, scores):
            return self.blend.rank(surface, item_ids, scores, count, candidates_per_source, entries)
        ranked = self.blend.rank(surface, item_ids, scores, 0, candidates_per_source)
        places, table = head(features, ranked, item_ids, scores, history)
        order = np.arange(len(ranked.order))
        order[places] = reordered(places, trees, table)
        order = order[: count or None]
        return Ranked(
            ranked.order[order],
            ranked.scores[: len(order)],
            {name: added[order] for name, added in ranked.contributions.items()},
        )


def no_ranker(parts: Parts) -> None:
    """Marks a bundle whose blend has the last word."""
    parts.documents["ranker"] = {"sources": []}


def able(features: Features, scores: Mapping[str, Float32]) -> bool:
    """Whether the sources said what the trees have learnt from."""
    return EMBEDDED.intersection(features.sources) <= scores.keys() and not OF_TEXT & scores.keys()


def head(
    features: Features, ranked: Ranked, item_ids: Sequence[str], scores: Mapping[str, Float32], history: History
) -> tuple[Int64, Float32]:
    """Of the blend's best those users have taught something of: their places in its order, and their features.

    The others keep their places: of items nobody could take yet trees learn only that nobody takes them.
    """
    best = ranked.order[:DEPTH]
    rows = features.rows([item_ids[place] for place in best.tolist()])
    places = np.flatnonzero(rows >= 0)
    columns = {name: scores[name][best[places]] for name in features.sources if name in scores}
    return places, features.table(rows[places], ranked.scores[places], columns, history)


def reordered(places: Int64, trees: Trees, table: Float32) -> Int64:
    """The places in the order of the trees; among equal ones in the blend's."""
    return np.asarray(places[np.argsort(-trees(table), kind="stable")], np.int64)
