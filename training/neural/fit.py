"""Trains one network: epochs of drawn windows, until held-out events are told no better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.data import Interactions
from models.sasrec import WEIGHTS, Network, SequenceConfig
from models.sparse import Int64
from training.neural.batches import Batch, Sequences, batches
from training.neural.beginning import DEVIATION, vectors
from training.neural.network import fresh, loss, states

WARM_UP: Final = 100  # steps to the full learning rate
BETAS: Final = (0.9, 0.98)  # of Adam
# The weights that are kept are a running mean over about 500 steps: it stands in for a learning rate that falls, which
# would have to know when the training ends.
MEMORY: Final = 0.998
RATES: Final = (1.0, 0.3, 0.1)  # of the learning rate, one after the other when the patience is over
DEPTH: Final = 10  # of the lists whose NDCG decides


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The last event of some users, and what each took before it."""

    sequences: Sequences  # of all users, without those events
    users: Int64
    wanted: Int64

    @classmethod
    def of(cls, sequences: Sequences, most: int, rng: np.random.Generator) -> HeldOut:
        able = np.flatnonzero(sequences.lengths > 2)  # what is left still teaches a step
        users = np.sort(rng.choice(able, min(most, len(able)), replace=False))
        wanted = sequences.items[sequences.starts[users + 1] - 1].astype(np.int64)
        return cls(sequences.without_last(users), users, wanted)

    def ndcg(self, network: Network) -> float:
        """The mean over the users; what they have is left out."""
        if not len(self.users):
            return 0.0
        ranks = np.array([self._rank(network, *pair) for pair in zip(self.users, self.wanted, strict=True)])
        return float(np.where(ranks < DEPTH, 1 / np.log2(ranks + 2), 0).mean())

    def _rank(self, network: Network, user: int, wanted: int) -> int:
        taken = self.sequences.items[self.sequences.starts[user] : self.sequences.starts[user + 1]]
        scores = network.items @ network.state(taken[-network.length :].astype(np.int64))
        right = scores[wanted]
        scores[taken] = -np.inf
        return int((~(scores < right)).sum()) - 1  # weights that are no numbers any more tell nothing


class Trainer:
    """Weights on their way, and their running mean."""

    def __init__(self, weights: dict[str, Tensor], taken: Int64, config: SequenceConfig) -> None:
        """`taken`: the rows of items that anybody took; negatives are drawn from them."""
        self._weights = {name: weight.requires_grad_() for name, weight in weights.items()}
        self._kept = {name: weight.detach().clone() for name, weight in weights.items()}
        self._taken = taken
        self._config = config
        self._optimizer = torch.optim.Adam(self._weights.values(), lr=config.learning_rate, betas=BETAS, fused=True)
        self._steps = 0
        self.rate = 1.0  # of the learning rate

    def learn(self, batch: Batch, rng: np.random.Generator) -> None:
        self._steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * self._config.learning_rate * min(1.0, self._steps / WARM_UP)
        negatives = rng.choice(self._taken, min(self._config.negatives, len(self._taken)), replace=False)
        told = states(self._weights, torch.from_numpy(batch.rows), self._config.heads, self._config.dropout)
        told = told.flatten(0, 1)[torch.from_numpy(batch.places)]
        wanted = torch.from_numpy(batch.wanted)
        lowered = loss(self._weights["items"], told, wanted, torch.from_numpy(negatives), len(self._taken))
        self._optimizer.zero_grad()
        lowered.backward()
        self._optimizer.step()
        self._remember()

    def _remember(self) -> None:
        share = 1 - min(MEMORY, self._steps / (self._steps + 10))  # what was at first is soon forgotten
        for name, weight in self._weights.items():
            self._kept[name].lerp_(weight.detach(), share)

    def network(self) -> Network:
        """The running mean as it is served; nothing is said of items that nobody took."""
        found = {name: self._kept[name].numpy().copy() for name in WEIGHTS}
        unknown = np.ones(len(found["items"]), np.bool_)
        unknown[self._taken] = False
        found["items"][unknown] = 0
        return Network(found, self._config.heads)


@dataclass(slots=True)
class Best:
    """The best network so far, by what it tells of the held-out events."""

    network: Network
    quality: float
    idle: int = 0  # epochs since

    def compare(self, network: Network, held_out: HeldOut) -> None:
        quality = held_out.ndcg(network)
        if quality > self.quality:
            self.network, self.quality, self.idle = network, quality, 0
        else:
            self.idle += 1


def fit(
    data: Interactions,
    config: SequenceConfig,
    seed: int,
    begin: Network | None,
    done: Callable[[int], None],
    clock: Callable[[], float],
) -> Network:
    """From interactions in order of user and time. `begin`: a network of fewer events, to go on from.

    `done` is told of every event learnt from, `clock` gives seconds. The same data, seed and number of threads give
    the same network, unless it is the minutes that end the training.
    """
    rng = np.random.default_rng(seed)
    held_out = HeldOut.of(Sequences.of(data), config.questions, rng)
    sequences = held_out.sequences
    with _repeatable(seed):
        weights = _first(sequences, len(data.item_ids), config, rng, begin)
        trainer = Trainer(weights, np.unique(sequences.items), config)
        best = Best(trainer.network(), held_out.ndcg(trainer.network()))
        end, left = clock() + 60 * config.minutes, config.epochs
        for rate in RATES:
            trainer.rate, best.idle = rate, 0
            while left and best.idle < config.patience and clock() <= end:
                for batch in _until(lambda: clock() > end, batches(sequences, config.length, config.batch, rng)):
                    trainer.learn(batch, rng)
                    done(len(batch.wanted))
                best.compare(trainer.network(), held_out)
                left -= 1
    return best.network


def _first(
    sequences: Sequences, items: int, config: SequenceConfig, rng: np.random.Generator, begin: Network | None
) -> dict[str, Tensor]:
    """Weights to begin with: drawn ones under vectors that know the items' company, or those of `begin`.

    Items that `begin` has nothing of are drawn.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    if begin is None:
        return fresh(torch.from_numpy(vectors(sequences, items, config.dimension, rng)), config, generator)
    weights = {name: torch.from_numpy(np.array(begin.weights[name])) for name in WEIGHTS}
    unknown = ~weights["items"].any(dim=1)
    drawn = DEVIATION * torch.randn(int(unknown.sum()), config.dimension, generator=generator)
    weights["items"][unknown] = drawn
    return weights


def _until(late: Callable[[], bool], found: Iterator[Batch]) -> Iterator[Batch]:
    for batch in found:
        if late():
            return
        yield batch


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Dropout draws from torch's own generator, which is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
