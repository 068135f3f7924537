"""The networks of a fit: those of the slices of time that the blend and the ranker are chosen on, and the final one.

Each goes on from that of the slice before, whose events are a part of its own: only the first is trained at length,
and none has seen what a later slice holds out.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from models.data import Interactions
from models.sasrec import Network, SequenceConfig
from models.writer import Parts
from training.errors import SettingsError
from training.parts import FitConfig
from training.progress import Progress
from training.stages import Stages
from training.validation import LABELS, held_out

SLOWER: Final = 0.3  # of its learning rate
GOES_ON: Final = 0.25  # of the epochs and minutes of the first network, for each that goes on from another

# `training.neural.fit.fit`, or what does the same.
Fit: TypeAlias = Callable[
    [Interactions, SequenceConfig, int, Network | None, Callable[[int], None], Callable[[], float]], Network
]


@dataclass(frozen=True, slots=True)
class Networks:
    """The arrays of each network by the label of the fit it belongs to; none where the settings leave it out."""

    data: Interactions  # of the final fit
    config: FitConfig
    progress: Progress
    stages: Stages
    fit: Fit
    _found: dict[int, Parts] = field(default_factory=dict)  # by how many slices were cut off

    def parts(self, label: str) -> Parts:
        return self._kept(LABELS.index(label)) if self.config.sequence.enabled else Parts({})

    def _kept(self, cuts: int) -> Parts:
        if cuts not in self._found:
            self._found[cuts] = self.stages.kept(f"sequence{LABELS[cuts]}", lambda: self._fit(cuts))
        return self._found[cuts]

    def _fit(self, cuts: int) -> Parts:
        settings, begin, data = self.config.sequence, None, self._data(cuts)
        if cuts + 1 < len(LABELS):
            begin = Network.read(self._kept(cuts + 1), settings.heads)
            settings = goes_on(settings)
        with self.progress.stage(f"sequence{LABELS[cuts]}", settings.epochs * len(data)) as stage:
            network = self.fit(data, settings, self.config.seed, begin, stage.advance, time.monotonic)
        parts = Parts({})
        network.add_to(parts)
        return parts

    def _data(self, cuts: int) -> Interactions:
        data = self.data
        for latest in held_out(self.config)[:cuts]:
            data = latest.held_out_of(data).train
        return data


def goes_on(config: SequenceConfig) -> SequenceConfig:
    """Shorter, and at a rate that does not take back what was learnt."""
    return replace(
        config,
        epochs=max(1, round(GOES_ON * config.epochs)),
        minutes=GOES_ON * config.minutes,
        learning_rate=SLOWER * config.learning_rate,
    )


def torch_needed(config: SequenceConfig) -> None:
    """Raises SettingsError before any work is done where torch is needed and missing."""
    if config.enabled and importlib.util.find_spec("torch") is None:
        raise SettingsError(
            "enabled = true in [fit.sequence] needs torch; install it into this environment (pip install torch), "
            "or leave the setting out"
        )


def fit_on_torch(
    data: Interactions,
    config: SequenceConfig,
    seed: int,
    begin: Network | None,
    done: Callable[[int], None],
    clock: Callable[[], float],
) -> Network:
    from training.neural.fit import fit  # it imports torch, which takes seconds and serves nothing else

    return fit(data, config, seed, begin, done, clock)
