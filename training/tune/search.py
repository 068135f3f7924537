"""Optuna's search. Its trials are kept in a file of JSON lines, so that a search goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from training.errors import DatasetError, SettingsError
from training.tune.space import Choice, Options

if TYPE_CHECKING:
    import optuna

FIRST_AT_RANDOM: Final = 8  # trials before the search models what it saw; Optuna's own number suits longer searches
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found so far."""

    trials: int
    usual: float  # the quality under the settings it began with
    best: float
    values: dict[str, float]  # of the best trial


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a search ends; a trial that runs is finished."""

    trials: int
    seconds: float


def search(
    file: Path,
    name: str,
    space: Mapping[str, Choice],
    first: Values,
    quality: Callable[[Values], float],
    bounds: Bounds,
    seed: int,
    told: Callable[[int, float, Values], None],
) -> Outcome:
    """Begins with `first`, so that the outcome is never below it. `name`: what the trials of a file must agree in."""
    study = _study(file, name, first, seed)
    begun, done = time.monotonic(), _done(study)
    while len(done) < bounds.trials and time.monotonic() - begun < bounds.seconds:
        trial = study.ask()
        values = {setting: _suggested(trial, setting, choice) for setting, choice in space.items()}
        found = quality(values)
        study.tell(trial, found)
        done = _done(study)
        told(len(done), found, values)
    if not done:
        raise SettingsError("no trial was made; give the search more --trials or --minutes")
    best = max(done, key=lambda one: one.value or 0.0)
    return Outcome(len(done), done[0].value or 0.0, best.value or 0.0, dict(best.params))


def _study(file: Path, name: str, first: Values, seed: int) -> optuna.Study:
    try:
        import optuna
    except ImportError as error:
        raise SettingsError("tuning needs Optuna; install it into this environment: pip install optuna") from error
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        storage = JournalStorage(JournalFileBackend(str(file)))
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    except (ValueError, KeyError) as error:
        raise DatasetError(f"{file}: not a file of trials; name another by --trials-file, or remove it") from error
    if not _done(study):
        study.enqueue_trial(dict(first))
    # A search that goes on does not draw again what it drew first.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=FIRST_AT_RANDOM)
    return study


def _done(study: optuna.Study) -> list[Any]:
    """Trials that ended, in their order; those that were stopped have no figure."""
    return [one for one in study.trials if one.value is not None]


def _suggested(trial: optuna.Trial, name: str, choice: Choice) -> float:
    found: float
    if isinstance(choice, Options):
        found = trial.suggest_categorical(name, list(choice.values))
        return found
    found = trial.suggest_float(name, choice.low, choice.high, log=choice.log)
    return found
