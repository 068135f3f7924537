"""Settings a fit chooses for its data: those under which a source alone tells a held-out slice best.

How fast a history ages, what follows what and how strongly taste is regularised differ so much that no number serves
all: ratings entered in one sitting, films in order of viewing, purchases, samples without an order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from models import ials, rp3beta, transitions
from models.bundle import settings_of
from models.data import Interactions
from models.histories import HALF_LIVES
from models.ials import IalsConfig
from models.rp3beta import Rp3BetaConfig
from models.sparse import matrix_of
from models.transitions import TransitionsConfig
from models.writer import Parts
from training.parts import FitConfig, Texts, fit_factors
from training.progress import Progress, SilentProgress
from training.slices import Slice, scores

Settings: TypeAlias = Mapping[str, Any]  # of one source
# How much better than with the first option a source must be that looks at fewer entries. Sources that look at the same
# few are better alone and worse together: on ml-latest-small without it the blend fell from .184 to .176.
MARGIN: Final = 1.1
# How much better the next of CLIMBED must be: on the 600 users of ml-latest-small a percent is chance.
GAIN: Final = 1.02

_AGES: Final = tuple({"half_life": places} for places in HALF_LIVES)


def _strength(strength: tuple[float, float]) -> Settings:
    return dict(zip(("unobserved_weight", "regularization_share"), strength, strict=True))


# What is learnt differently, and then what is asked differently; the first option holds where nothing is better, or the
# one of CLIMBED.
LEARNT: Final[Mapping[str, Sequence[Settings]]] = {
    "transitions": [{"window": window, "decay": decay} for window, decay in transitions.SHAPES],
    "rp3beta": [{"beta": beta} for beta in rp3beta.BETAS],
    "ials": [_strength(strength) for strength in ials.STRENGTHS],
}
ASKED: Final[Mapping[str, Sequence[Settings]]] = {
    "transitions": [{"last": last, "last_decay": decay} for last, decay in transitions.ASKED],
    "itemknn": _AGES,
    "rp3beta": _AGES,
    "ease": _AGES,
    "ials": _AGES,
}
# Where options stand in a row and each takes seconds to learn: the one to begin with. Of the others only those are
# learnt that lie where it gets better.
CLIMBED: Final[Mapping[str, Settings]] = {"ials": _strength(ials.USUAL)}


@dataclass(frozen=True, slots=True)
class Tried:
    """A source that learnt in one way, under the best of some ways of asking."""

    option: Settings
    quality: float
    parts: Parts


def choose(parts: Parts, config: FitConfig, held_out: Slice, progress: Progress) -> dict[str, dict[str, Any]]:
    """The best settings of each source, of those that are None in `config`; `parts` are brought up to them.

    `parts` were fitted on the part before the slice. What is learnt is judged under the best of what may be asked.
    """
    chosen: dict[str, dict[str, Any]] = {}
    names = list(dict.fromkeys([*LEARNT, *ASKED]))
    with progress.stage("settings of the sources", len(names)) as stage:
        for name in names:
            learnt, asked = open_of(config, name)
            if held_out.histories and together(learnt, asked) != [{}]:
                best = _best(parts, config, name, held_out)
                parts.config, parts.arrays = best.parts.config, best.parts.arrays
                chosen[name] = dict(best.option)
            stage.advance()
    return chosen


def open_of(config: FitConfig, name: str) -> tuple[list[Settings], list[Settings]]:
    """What a source may learn differently and be asked differently; one empty option where all is given."""
    given = asdict(getattr(config, name))
    learnt, asked = left_open(given, LEARNT.get(name, ())), left_open(given, ASKED.get(name, ()))
    if name == "ials" and config.ials.regularization is not None:
        learnt = []  # it suits the weight that is given with it
    return learnt or [{}], asked or [{}]


def _best(parts: Parts, config: FitConfig, name: str, held_out: Slice) -> Tried:
    learnt, every = open_of(config, name)

    def tried(parts: Parts, way: Settings, asked: Sequence[Settings]) -> Tried:
        options = together([way], asked)
        variants = varied(parts, config, name, options, held_out.train)
        qualities = weighed([held_out.quality(scores(each, name, held_out)) for each in variants], options, every[0])
        best = int(np.argmax(qualities))  # of equal ones the first
        return Tried(options[best], qualities[best], variants[best])

    if name not in CLIMBED:
        return max((tried(parts, way, every) for way in learnt), key=lambda one: one.quality)
    start = learnt.index({key: CLIMBED[name][key] for key in learnt[0]})
    first = tried(parts, learnt[start], every)
    alike = [{key: first.option[key] for key in every[0]}]
    place, best = climbed(lambda place: tried(parts, learnt[place], alike), first, start, len(learnt))
    return first if best is first else tried(best.parts, learnt[place], every)


def climbed(look: Callable[[int], Tried], first: Tried, start: int, places: int) -> tuple[int, Tried]:
    """The best from `start` on, as long as each next place is clearly better: upwards, or else downwards."""
    at, best = start, first
    for way in (range(start + 1, places), range(start - 1, -1, -1)):
        for place in way:
            found = look(place)
            if found.quality <= best.quality * GAIN:
                break
            at, best = place, found
        if at != start:
            break
    return at, best


def together(learnt: Sequence[Settings], asked: Sequence[Settings]) -> list[Settings]:
    """Every option of the one with every option of the other."""
    return [{**one, **other} for one in learnt for other in asked]


def weighed(qualities: Sequence[float], options: Sequence[Settings], first: Settings) -> list[float]:
    """The qualities without the margin that is asked of those that look at less than the `first` does."""
    margins = [MARGIN if looks_at_less(option, first) else 1.0 for option in options]
    return [quality / margin for quality, margin in zip(qualities, margins, strict=True)]


def looks_at_less(option: Settings, first: Settings) -> bool:
    """Whether the entries of a history age faster; a half-life of 0 is without an end."""
    return "half_life" in option and bool(0 < option["half_life"] < (first["half_life"] or np.inf))


def left_open(settings: Settings, options: Sequence[Settings]) -> list[Settings]:
    """The options cut to the settings that are None, each once."""
    found = [{key: value for key, value in option.items() if settings[key] is None} for option in options]
    return [option for place, option in enumerate(found) if option and option not in found[:place]]


def varied(parts: Parts, config: FitConfig, name: str, options: Sequence[Settings], train: Interactions) -> list[Parts]:
    """The parts with other settings of a source, and what it learns under them: once for all that learn alike."""
    learnt = {_shape(parts, name): parts}
    variants = []
    for option in options:
        settings = {**parts.config, name: {**parts.config[name], **option}}
        variant = replace(parts, config=settings, arrays=dict(parts.arrays))
        shape = _shape(variant, name)
        if shape not in learnt:
            _learn(variant, config, name, train)
            learnt[shape] = variant
        variant.config = {**settings, name: {**learnt[shape].config[name], **option}}
        variant.arrays = dict(learnt[shape].arrays)
        variants.append(variant)
    return variants


def _shape(parts: Parts, name: str) -> object:
    """The settings that decide what is learnt, of those that are chosen."""
    match name:
        case "transitions":
            return settings_of(parts, name, TransitionsConfig).shape
        case "rp3beta":
            return settings_of(parts, name, Rp3BetaConfig).held_back
        case "ials":
            settings = settings_of(parts, name, IalsConfig)
            return settings.unobserved, settings.share
        case _:
            return None


def _learn(parts: Parts, config: FitConfig, name: str, train: Interactions) -> None:
    """Puts into the parts what a source learns under their settings."""
    match name:
        case "transitions":
            found = transitions.fit(train, settings_of(parts, name, TransitionsConfig), _silent)
            found.add_to(parts, name)
        case "rp3beta":
            found = rp3beta.fit(matrix_of(train), settings_of(parts, name, Rp3BetaConfig), _silent)
            found.add_to(parts, name)
        case "ials":
            taken = matrix_of(train)
            settings = ials.settled(replace(settings_of(parts, name, IalsConfig), regularization=None), taken)
            parts.config = {**parts.config, name: asdict(settings)}
            whole = replace(config, ials=settings)
            parts.include(fit_factors(taken, Texts.of(parts), whole, SilentProgress(), ""))


def _silent(done: int) -> None:
    pass
