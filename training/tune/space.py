"""What tuning varies: settings that no fit chooses by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from training.errors import SettingsError
from training.parts import FitConfig


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two bounds; `log`: equal factors are equally far apart."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """One of these."""

    values: Sequence[int | float]


Choice = Range | Options

# The bounds are about a factor of ten around what suits the data this project is measured on.
SPACE: Final[Mapping[str, Choice]] = {
    "ials.dimension": Options((32, 64, 128)),
    "ials.text_pull": Range(0.3, 30.0),
    "ease.regularization": Range(30.0, 3000.0),
    "itemknn.shrinkage": Range(0.5, 100.0),
    "rp3beta.alpha": Range(0.3, 1.2, log=False),
    "transitions.popularity_exponent": Range(0.0, 0.7, log=False),
    "transitions.source_exponent": Range(0.0, 0.8, log=False),
}


def chosen(only: Sequence[str]) -> Mapping[str, Choice]:
    """The part of the space whose names begin with one of these; all of it without any."""
    found = {name: one for name, one in SPACE.items() if not only or any(name.startswith(start) for start in only)}
    for start in only:
        if not any(name.startswith(start) for name in found):
            raise SettingsError(f"nothing to tune is called {start}; there are {', '.join(SPACE)}")
    return found


def usual(config: FitConfig, space: Mapping[str, Choice]) -> dict[str, float]:
    """What the settings say now, brought inside the bounds."""
    return {name: _inside(_of(config, name), choice) for name, choice in space.items()}


def _of(config: FitConfig, name: str) -> float:
    section, setting = name.split(".")
    return float(getattr(getattr(config, section), setting))


def _inside(value: float, choice: Choice) -> float:
    if isinstance(choice, Options):
        return min(choice.values, key=lambda one: abs(one - value))
    return min(max(value, choice.low), choice.high)


def varied(config: FitConfig, values: Mapping[str, float]) -> FitConfig:
    for name, value in values.items():
        section, setting = name.split(".")
        before = getattr(config, section)
        whole = isinstance(getattr(before, setting), int)
        config = replace(config, **{section: replace(before, **{setting: int(value) if whole else value})})
    return config


def as_settings(values: Mapping[str, float]) -> dict[str, Any]:
    """For a settings file: four digits, for more would say what a validation part cannot."""
    sections: dict[str, Any] = {}
    for name, value in values.items():
        section, setting = name.split(".")
        sections.setdefault(section, {})[setting] = value if isinstance(value, int) else float(f"{value:.4g}")
    return {"fit": sections}
