"""The command `python -m training tune`: settings for a dataset, as a file that `fit --config` takes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.configuration import read_toml
from training.console import Console
from training.errors import SettingsError
from training.evaluate import Plan
from training.fit import FitConfig
from training.inputs import cleaned, reading_arguments, rejects_here, settings_given, write_text
from training.measuring import cut_given, implicit, protocol_arguments
from training.progress import SilentProgress
from training.protocols import cut_for_tuning
from training.significance import differences
from training.stages import run_key
from training.toml import dumps
from training.tune.search import Bounds, search
from training.tune.space import as_settings, chosen, usual, varied
from training.tune.trial import Validation

CUTOFF: Final = 10


def tune_arguments(parser: argparse.ArgumentParser) -> None:
    reading_arguments(parser)
    protocol_arguments(parser, "temporal")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the settings, for fit --config")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="then no trial begins; default: 30")
    parser.add_argument("--trials", type=int, default=50, metavar="N", help="at most; default: 50")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help='settings as "ials" or "ease"')
    parser.add_argument("--model", choices=("blend", "ranker"), default="blend", help="what is to be good")
    parser.add_argument("--users", type=int, default=2_000, metavar="N", help="asked a trial at most; default: 2000")
    parser.add_argument("--trials-file", type=Path, metavar="FILE", help="default: beside --out, .trials.jsonl")
    parser.set_defaults(run=tune_command)


def tune_command(given: argparse.Namespace, console: Console) -> None:
    if given.held_out:
        raise SettingsError("tuning sees nothing that is held out; leave --held-out away")
    if given.trials < 1 or not given.minutes > 0 or given.users < 1:
        raise SettingsError("--trials and --users are 1 or more, --minutes is above 0")
    settings, space = settings_given(given), chosen(given.only)
    how = cut_given(given, settings.fit.seed)
    prepared, _, _ = cleaned(given.dataset, rejects_here(given.dataset, settings), settings, console)
    prepared = implicit(prepared) if given.implicit else prepared
    split = cut_for_tuning(prepared.interactions, how)
    held_out = Validation(prepared.items, split, Plan(how, (CUTOFF,), given.users), given.model, SilentProgress())
    if not held_out.users:
        raise SettingsError(f"the protocol {how.protocol} leaves no user to tune on; choose another")
    console.say(f"tuned on {held_out.users:,} users of the learning part; nothing that {how} holds out is looked at")

    def quality(values: Mapping[str, float]) -> float:
        return float(held_out.measure(varied(settings.fit, values)).mean())

    def told(number: int, found: float, values: Mapping[str, float]) -> None:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        console.say(f"trial {number}: {found:.4f} with {shown}")

    file = given.trials_file or given.out.with_suffix(".trials.jsonl")
    asked = {"fit": asdict(settings.fit), "cut": asdict(how), "model": given.model, "users": given.users}
    name = run_key(prepared.interactions, prepared.items, asked | {"space": repr(space)})
    bounds = Bounds(given.trials, 60 * given.minutes)
    found = search(file, name, space, usual(settings.fit, space), quality, bounds, settings.fit.seed, told)
    values = found.values if found.best > found.usual else usual(settings.fit, space)
    told_of = f"{found.usual:.4f} with the settings it began with, {found.best:.4f} with the best"
    console.say(f"{found.trials} trials: NDCG@{CUTOFF} {told_of}")
    if found.best > found.usual:
        console.say(_sure(held_out, settings.fit, values))
    write_text(given.out, dumps(_merged(read_toml(given.config) if given.config else {}, as_settings(values))), console)
    console.summary()


def _sure(held_out: Validation, config: FitConfig, values: Mapping[str, float]) -> str:
    by_settings = {"best": held_out.measure(varied(config, values)), "usual": held_out.measure(config)}
    (gain,) = differences(by_settings, "best", ["usual"], np.random.default_rng(config.seed))
    return (
        f"a gain of {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) on these users; it is the best of several "
        "on them, so expect less: measure with evaluate --config"
    )


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merged(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged
