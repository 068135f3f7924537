"""The rows of the quality table: what is run, and what is to be reached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from training.configuration import build, read_toml

ROWS: Final = Path(__file__).with_name("rows.toml")
SERVED: Final = "served"  # the model a bundle answers with: the last one measured
EVERY_SOURCE: Final = "every source"  # the best of the models below the blend
ABOVE_SOURCES: Final = ("blend", "ranker")


@dataclass(frozen=True, slots=True)
class Reach:
    """A figure to reach: `value`, or what another model has, times and plus something.

    What another model has itself is to be surpassed, unless `not_below` lets the same do.
    """

    model: str
    metric: str  # with its cut-off: "ndcg@10"
    value: float | None = None
    than: str = ""
    times: float = 1.0
    plus: float = 0.0
    not_below: bool = False
    beyond: float | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (not self.than):
            raise ValueError("a figure to reach has a value, or than")
        if self.not_below and (not self.than or not self.itself):
            raise ValueError("not_below goes with than alone; a value, and times and plus of another's, are least ones")

    @property
    def itself(self) -> bool:
        """Whether another model's figure is the mark, and not a part or a multiple of it."""
        return bool(self.than) and self.times == 1 and self.plus == 0

    def reached(self, found: float, needed: float) -> bool:
        return found > needed if self.itself and not self.not_below else found >= needed

    def needed(self, figures: Mapping[str, float]) -> float | None:
        """From figures of this metric by model, in the order they were measured; None: what it takes is missing."""
        if self.value is not None:
            return self.value
        if self.than == EVERY_SOURCE:
            others = [figure for model, figure in figures.items() if model not in ABOVE_SOURCES]
            return max(others) if others else None
        other = figures.get(self.than)
        return None if other is None else other * self.times + self.plus

    def found(self, figures: Mapping[str, float]) -> float | None:
        if self.model == SERVED:
            return list(figures.values())[-1] if figures else None
        return figures.get(self.model)


@dataclass(frozen=True, slots=True)
class Row:
    """One command on one dataset."""

    name: str
    data: str
    title: str
    command: tuple[str, ...]
    reach: tuple[Reach, ...]
    ships: bool = False
    unpack: str = ""
    seeds: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    needs: str = ""

    @property
    def key(self) -> str:
        """Tells runs apart that could give other figures."""
        run = {**asdict(self), "reach": None, "title": None}
        del run["variant"], run["needs"]  # what they say does not change a run
        return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _File:
    row: tuple[Row, ...]


def read_rows(path: Path = ROWS) -> Sequence[Row]:
    return build(_File, read_toml(path)).row
