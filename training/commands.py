"""The commands of `python -m training` and their arguments.

Exit codes: 0 done, 2 something given cannot be used (said in one line, with the remedy), 130 interrupted.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, TextIO

from models.bundle import Bundle, BundleError, find_bundle
from training.console import Console, peak_mib
from training.datasets.reader import dataset_name
from training.datasets.rejects import Rejects
from training.errors import DatasetError, SettingsError
from training.evaluate import tuned_alike
from training.fit import fit_bundle
from training.inputs import cleaned, read, reading_arguments, rejects_here, settings_given, write_json
from training.inspection import describe
from training.language import PARTS, measure_language
from training.measuring import evaluate_arguments, learning_part, protocol_arguments
from training.quality.command import quality_arguments, quality_command
from training.recommend import MAX_COUNT, recommend_file
from training.settings import TrainingSettings
from training.spark.engine import fit_on_spark
from training.tune.command import tune_arguments, tune_command

_BUNDLE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # it becomes the name of a directory


def main(arguments: Sequence[str], out: TextIO, err: TextIO) -> int:
    given = _parser().parse_args(arguments)
    console = Console(out, err)
    try:
        given.run(given, console)
    except (DatasetError, SettingsError, BundleError) as error:
        console.complain(f"error: {error}")
        return 2
    except OSError as error:
        console.complain(f"error: {error.filename or 'input or output'}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        console.complain("interrupted" + (", the same command goes on from here" if given.run in GOES_ON else ""))
        return 130
    return 0


def fit_command(given: argparse.Namespace, console: Console) -> None:
    settings = settings_given(given)
    name = given.name or dataset_name(given.dataset)
    if not _BUNDLE_NAME.fullmatch(name):
        raise SettingsError(f'"{name}" cannot name a bundle; give --name of letters, digits, ".", "_" and "-"')
    rejects = Rejects(given.out / name / "rejects.jsonl", settings.max_rejects)
    fit = _fit_on_spark if given.engine == "spark" else _fit_here
    path = fit(given, name, settings, rejects, console)
    console.summary()
    console.say(str(path))


def _fit_on_spark(
    given: argparse.Namespace, name: str, settings: TrainingSettings, rejects: Rejects, console: Console
) -> Path:
    if given.protocol:
        raise SettingsError("--protocol holds a part out with --engine local alone; leave one of the two out")
    return fit_on_spark(given.dataset, name, given.out, settings, rejects, console, time.time())


def _fit_here(
    given: argparse.Namespace, name: str, settings: TrainingSettings, rejects: Rejects, console: Console
) -> Path:
    prepared, _, fingerprint = cleaned(given.dataset, rejects, settings, console)
    prepared, told = learning_part(given, prepared, settings)
    return fit_bundle(
        prepared.interactions,
        prepared.items,
        name=name,
        out=given.out,
        config=tuned_alike(settings.fit, given.protocol or ""),
        progress=console,
        now=time.time(),
        fingerprint=fingerprint,
        report=prepared.report.as_json() | told,
        event_weights=prepared.event_weights,
        sentiment=prepared.sentiment,
        reused=lambda stage: console.complain(f"{stage}: done by an earlier run"),
    )


def language_command(given: argparse.Namespace, console: Console) -> None:
    settings = settings_given(given)
    rejects = rejects_here(given.dataset, settings)
    parts = given.only or list(PARTS)
    dataset = read(given.dataset, rejects, console, opinions_suffice=parts == ["sentiment"])
    found = measure_language(dataset, parts, settings, console)
    console.say()
    for line in found.lines():
        console.say(line)
    console.say()
    console.summary()
    if given.json:
        figures = [asdict(one) for one in found.figures]
        document = {
            "dataset": dataset.name,
            "seed": settings.fit.seed,
            "results": figures,
            "seconds": console.seconds,
            "peak_mb": peak_mib(),
        }
        write_json(given.json, document, console)


def recommend_command(given: argparse.Namespace, console: Console) -> None:
    if not 1 <= given.count <= MAX_COUNT:
        raise SettingsError(f"--count {given.count} is outside 1 to {MAX_COUNT:,}")
    bundle = Bundle.open(find_bundle(given.bundle))
    batch = recommend_file(bundle, given.users, given.count, given.out, console)
    console.say(f"{batch.users:,} users answered from {bundle.path}")
    if batch.unknown:
        console.say(f"of {batch.unknown:,} nothing is known: they got popular items")
    console.summary()
    console.say(str(given.out))


def inspect_command(given: argparse.Namespace, console: Console) -> None:
    for line in describe(Bundle.open(find_bundle(given.bundle))):
        console.say(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Fit, measure and use model bundles.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    fit = commands.add_parser("fit", help="learn from a dataset and write a model bundle")
    reading_arguments(fit)
    fit.add_argument("--out", type=Path, required=True, metavar="MODELS", help="the bundle becomes MODELS/NAME/VERSION")
    fit.add_argument("--name", help="default: the dataset's")
    fit.add_argument("--engine", choices=("local", "spark"), default="local")
    protocol_arguments(fit, None)
    fit.set_defaults(run=fit_command)

    evaluate_arguments(
        commands.add_parser("evaluate", help="hold a part of a dataset out and measure every model on it")
    )

    language = commands.add_parser("language", help="measure what is learnt from texts and reviews")
    reading_arguments(language)
    language.add_argument("--only", choices=tuple(PARTS), action="append", help="may be given several times")
    language.add_argument("--json", type=Path, metavar="FILE", help="write the figures for programs")
    language.set_defaults(run=language_command)

    tune_arguments(commands.add_parser("tune", help="look for better settings, on validation alone"))
    quality_arguments(commands.add_parser("quality", help="run the quality table, row by row"))

    recommend = commands.add_parser("recommend", help="answer for a file of users")
    recommend.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle, or a directory that holds some")
    recommend.add_argument("--users", type=Path, required=True, metavar="FILE", help="a user id a line")
    recommend.add_argument("--count", type=int, default=10, metavar="N", help="items a user; default: 10")
    recommend.add_argument("--out", type=Path, required=True, metavar="FILE", help="tabs, or JSON lines (.jsonl)")
    recommend.set_defaults(run=recommend_command)

    inspect = commands.add_parser("inspect", help="show what a bundle says of itself")
    inspect.add_argument("bundle", type=Path, metavar="BUNDLE")
    inspect.set_defaults(run=inspect_command)
    return parser


GOES_ON: Final = (fit_command, quality_command, tune_command)  # where they were stopped
