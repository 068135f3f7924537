"""How long fitting took, by model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from training.progress import Progress, Stage

# What a model alone needs of the stages of a fit; those not named here need all.
STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "popularity": (),
    "trending": (),
    "itemknn": ("item-kNN",),
    "transitions": ("transitions",),
    "ials": ("iALS", "texts to factors", "item factors"),
    "ease": ("EASE",),
    "rp3beta": ("RP3beta",),
    "content": ("tokenizer", "content vectors"),
    "sequence": ("sequence",),
}


class Stopwatch:
    """Passes stages on, and keeps what they took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seconds: dict[str, float] = {}

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        return self._stage(name, total)

    def tell(self, line: str) -> None:
        self._progress.tell(line)

    @contextmanager
    def _stage(self, name: str, total: int) -> Iterator[Stage]:
        begun = time.monotonic()
        with self._progress.stage(name, total) as shown:
            yield shown
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - begun

    def fitting(self, model: str) -> float:
        """The seconds of the stages a model needs; of a model that needs the others, of all."""
        names = STAGES.get(model)
        return sum(spent for name, spent in self._seconds.items() if names is None or name in names)
