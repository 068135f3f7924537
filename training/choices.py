"""Settings a fit chooses for its data: those under which a source alone tells a held-out slice best.

How fast a history ages and what follows what differ so much that no number serves all: ratings entered in one sitting,
films in order of viewing, purchases, samples without an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from scipy import sparse

from models import rp3beta, transitions
from models.bundle import settings_of
from models.data import Float32, History, Int32, Interactions
from models.ease import Ease
from models.encoder import Encoder
from models.entries import Weigh, query_weights
from models.histories import HALF_LIVES, Histories
from models.rp3beta import Rp3BetaConfig
from models.sparse import BLOCK_ELEMENTS, Matrix, Rows, matrix_of
from models.transitions import TransitionsConfig
from models.writer import Parts
from training.metrics import measure, padded
from training.progress import Progress
from training.splits import Split, targets

Settings: TypeAlias = Mapping[str, Any]  # of one source
DEPTHS: Final = (10, 50)  # as for the blend's weights: the longer list steadies what ten places leave to chance
# How much better than with the first option a source must be that looks at fewer entries. Sources that look at the same
# few are better alone and worse together: on ml-latest-small without it the blend fell from .184 to .176.
MARGIN: Final = 1.1

_AGES: Final = tuple({"half_life": places} for places in HALF_LIVES)

# What is learnt differently, and then what is asked differently; the first option holds where nothing is better.
LEARNT: Final[Mapping[str, Sequence[Settings]]] = {
    "transitions": [{"window": window, "decay": decay} for window, decay in transitions.SHAPES],
    "rp3beta": [{"beta": beta} for beta in rp3beta.BETAS],
}
ASKED: Final[Mapping[str, Sequence[Settings]]] = {
    "transitions": [{"last": last, "last_decay": decay} for last, decay in transitions.ASKED],
    "itemknn": _AGES,
    "rp3beta": _AGES,
    "ease": _AGES,
    "ials": _AGES,
}


@dataclass(frozen=True, slots=True)
class Slice:
    """Users with something to find in a held-out slice, and what the earlier part says of them."""

    histories: Sequence[History]
    entries: Sequence[Int32]  # of each history the rows of its items
    relevant: Sequence[Int32]
    items: int  # of the catalogue
    train: Interactions  # the earlier part

    @classmethod
    def of(cls, split: Split, parts: Parts, most: int, rng: np.random.Generator) -> Slice:
        wanted, histories = targets(split), Histories(parts)
        users = sorted(wanted)
        if len(users) > most:
            users = sorted(rng.choice(users, most, replace=False).tolist())
        found = {user: histories.of(split.train.user_ids[user]) for user in users}
        asked = {user: history for user, history in found.items() if history is not None}
        rows = {item: row for row, item in enumerate(split.train.item_ids)}
        entries = [np.array([rows[item] for item in history.item_ids], np.int32) for history in asked.values()]
        return cls(list(asked.values()), entries, [wanted[user] for user in asked], len(rows), split.train)

    def weights(self, weigh: Weigh) -> Matrix:
        """Users by items: what each entry of a history counts."""
        told = [weigh(history) for history in self.histories]
        items = [entries[: len(weights)] for entries, weights in zip(self.entries, told, strict=True)]
        starts = np.concatenate(([0], np.cumsum([len(each) for each in items])))
        columns, values = np.concatenate([*items, np.zeros(0, np.int32)]), np.concatenate([*told, np.zeros(0)])
        shape = (len(self.histories), self.items)
        return sparse.csr_array((values.astype(np.float32), columns, starts), shape=shape)

    def quality(self, scores: Callable[[slice], Float32]) -> float:
        """The mean NDCG of the lists by these scores of users by items, without what the users have."""
        ranked = [self._best(users, scores(users)) for users in self._blocks()]
        lists = padded([row for block in ranked for row in block], max(DEPTHS))
        return float(np.mean([measure(lists, self.relevant, self.items, depth)["ndcg"] for depth in DEPTHS]))

    def _best(self, users: slice, scores: Float32) -> Int32:
        for row, entries in zip(scores, self.entries[users], strict=True):
            row[entries] = -np.inf
        depth = min(max(DEPTHS), scores.shape[1])
        best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1).astype(np.int32)

    def _blocks(self) -> Iterator[slice]:
        size = max(1, BLOCK_ELEMENTS // max(self.items, 1))
        for start in range(0, len(self.histories), size):
            yield slice(start, min(start + size, len(self.histories)))


def choose(parts: Parts, held_out: Slice, progress: Progress) -> dict[str, dict[str, Any]]:
    """The best settings of each source, of those that are None; `parts` are brought up to them.

    `parts` were fitted on the part before the slice. What is learnt is judged under the best of what may be asked.
    """
    chosen: dict[str, dict[str, Any]] = {}
    names = list(dict.fromkeys([*LEARNT, *ASKED]))
    with progress.stage("settings of the sources", len(names)) as stage:
        for name in names:
            options = left_open(parts.config[name], together(LEARNT.get(name, [{}]), ASKED.get(name, [{}])))
            if options and held_out.histories:
                variants = varied(parts, name, options, held_out.train)
                qualities = [held_out.quality(scores(variant, name, held_out)) for variant in variants]
                best = preferred(qualities, options)
                parts.config, parts.arrays = variants[best].config, variants[best].arrays
                chosen[name] = dict(options[best])
            stage.advance()
    return chosen


def together(learnt: Sequence[Settings], asked: Sequence[Settings]) -> list[Settings]:
    """Every option of the one with every option of the other."""
    return [{**one, **other} for one in learnt for other in asked]


def preferred(qualities: Sequence[float], options: Sequence[Settings]) -> int:
    """The best one; of equal ones the first."""
    margins = [MARGIN if looks_at_less(option, options[0]) else 1.0 for option in options]
    return int(np.argmax(np.array(qualities) / margins))


def looks_at_less(option: Settings, first: Settings) -> bool:
    """Whether the entries of a history age faster; a half-life of 0 is without an end."""
    return "half_life" in option and bool(0 < option["half_life"] < (first["half_life"] or np.inf))


def left_open(settings: Settings, options: Sequence[Settings]) -> list[Settings]:
    """The options cut to the settings that are None, each once."""
    cut = [{key: value for key, value in option.items() if settings[key] is None} for option in options]
    return [option for place, option in enumerate(cut) if option and option not in cut[:place]]


def varied(parts: Parts, name: str, options: Sequence[Settings], train: Interactions) -> list[Parts]:
    """The parts with other settings of a source, and what it learns under them: once for all that learn alike."""
    learnt = {_shape(parts, name): parts.arrays}
    variants = []
    for option in options:
        config = {**parts.config, name: {**parts.config[name], **option}}
        variant = Parts(config, dict(parts.arrays), parts.tables, parts.documents, parts.files)
        shape = _shape(variant, name)
        if shape not in learnt:
            _learn(variant, name, train).add_to(variant, name)
            learnt[shape] = variant.arrays
        variant.arrays = dict(learnt[shape])
        variants.append(variant)
    return variants


def _shape(parts: Parts, name: str) -> object:
    """The settings that decide what is learnt, of those that are chosen."""
    match name:
        case "transitions":
            return settings_of(parts, name, TransitionsConfig).shape
        case "rp3beta":
            return settings_of(parts, name, Rp3BetaConfig).held_back
        case _:
            return None


def _learn(parts: Parts, name: str, train: Interactions) -> Rows:
    if name == "transitions":
        return transitions.fit(train, settings_of(parts, name, TransitionsConfig), _silent)
    return rp3beta.fit(matrix_of(train), settings_of(parts, name, Rp3BetaConfig), _silent)


def scores(parts: Parts, name: str, held_out: Slice) -> Callable[[slice], Float32]:
    """What a source says of all items, for some of the slice's users."""
    if name == "ials":
        return _folded_in(parts, held_out)
    asked = held_out.weights(query_weights(parts)[name])
    if name == "ease":
        ease = Ease.of(parts)
        queries = asked[:, ease.items] @ ease.queries
        return partial(_placed, queries, ease, held_out.items)
    rows = Rows.of(parts, name)
    said = sparse.csr_array((rows.values, rows.columns, rows.starts), shape=(asked.shape[1], asked.shape[1]))
    return lambda users: np.asarray((asked[users] @ said).toarray(), np.float32)


def _placed(queries: Float32, ease: Ease, width: int, users: slice) -> Float32:
    found = np.zeros((len(queries[users]), width), np.float32)
    found[:, ease.items] = queries[users] @ ease.targets.T
    return found


def _folded_in(parts: Parts, held_out: Slice) -> Callable[[slice], Float32]:
    encoder = Encoder(parts)
    factors, _ = encoder.embed_histories(held_out.histories)
    items = parts.array("item_factors")
    return lambda users: np.asarray(factors[users] @ items.T, np.float32)


def _silent(done: int) -> None:
    pass
