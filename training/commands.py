"""The commands of `python -m training` and their arguments.

Exit codes: 0 done, 2 something given cannot be used (said in one line, with the remedy), 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from models.bundle import Bundle, BundleError, find_bundle
from training.console import Console
from training.datasets.model import Dataset
from training.datasets.reader import dataset_name, read_dataset
from training.datasets.rejects import Rejects
from training.errors import DatasetError, SettingsError
from training.evaluate import evaluate
from training.fit import fit_bundle
from training.inspection import describe
from training.language import PARTS, measure_language
from training.preprocessing import Prepared, prepare
from training.recommend import MAX_COUNT, recommend_file
from training.reviews import judge
from training.settings import TrainingSettings, read_settings
from training.splits import PROTOCOLS

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
        console.complain("interrupted" + (", the same command goes on from here" if given.run is fit_command else ""))
        return 130
    return 0


def fit_command(given: argparse.Namespace, console: Console) -> None:
    if given.engine != "local":
        raise SettingsError(f'the engine "{given.engine}" is not available in this version; use --engine local')
    settings = _settings(given)
    name = given.name or dataset_name(given.dataset)
    if not _BUNDLE_NAME.fullmatch(name):
        raise SettingsError(f'"{name}" cannot name a bundle; give --name of letters, digits, ".", "_" and "-"')
    rejects = Rejects(given.out / name / "rejects.jsonl", settings.max_rejects)
    prepared, _, fingerprint = _prepare(given.dataset, rejects, settings, console)
    path = fit_bundle(
        prepared.interactions,
        prepared.items,
        name=name,
        out=given.out,
        config=settings.fit,
        progress=console,
        now=time.time(),
        fingerprint=fingerprint,
        report=prepared.report.as_json(),
        event_weights=prepared.event_weights,
        sentiment=prepared.sentiment,
        reused=lambda stage: console.complain(f"{stage}: done by an earlier run"),
    )
    console.summary()
    console.say(str(path))


def evaluate_command(given: argparse.Namespace, console: Console) -> None:
    settings = _settings(given)
    rejects = Rejects(Path(f"{dataset_name(given.dataset)}.rejects.jsonl"), settings.max_rejects)
    prepared, name, _ = _prepare(given.dataset, rejects, settings, console)
    found = evaluate(name, prepared, given.protocol, settings.fit, console)
    console.say()
    console.say(
        f"{found.dataset}, {found.protocol}: {found.train_events:,} interactions to learn from, {found.test_events:,} "
        f"held out, {found.users:,} users asked for among {found.items:,} items"
    )
    console.say()
    for line in found.lines():
        console.say(line)
    console.summary()
    if given.json:
        document = found.as_json() | {"seed": settings.fit.seed, "seconds": console.seconds}
        _write_json(given.json, document, console)


def language_command(given: argparse.Namespace, console: Console) -> None:
    settings = _settings(given)
    rejects = Rejects(Path(f"{dataset_name(given.dataset)}.rejects.jsonl"), settings.max_rejects)
    parts = given.only or list(PARTS)
    dataset = _read(given.dataset, rejects, console, opinions_suffice=parts == ["sentiment"])
    found = measure_language(dataset, parts, settings, console)
    console.say()
    for line in found.lines():
        console.say(line)
    console.say()
    console.summary()
    if given.json:
        figures = [asdict(one) for one in found.figures]
        document = {"dataset": dataset.name, "seed": settings.fit.seed, "results": figures, "seconds": console.seconds}
        _write_json(given.json, document, console)


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


def _settings(given: argparse.Namespace) -> TrainingSettings:
    settings = read_settings(given.config)
    try:
        if given.seed is not None:
            settings = replace(settings, fit=replace(settings.fit, seed=given.seed))
        if given.max_rejects is not None:
            settings = replace(settings, max_rejects=given.max_rejects)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return settings


def _prepare(path: Path, rejects: Rejects, settings: TrainingSettings, console: Console) -> tuple[Prepared, str, str]:
    """The cleaned dataset, its name and its fingerprint; says what cleaning did."""
    dataset = _read(path, rejects, console)
    judged = judge(dataset, settings.sentiment, settings.fit.seed, console)
    with console.stage("clean", 1) as stage:
        prepared = prepare(dataset, settings.preprocessing, judged)
        stage.advance()
    for line in prepared.report.lines():
        console.say(line)
    return prepared, dataset.name, dataset.fingerprint


def _read(path: Path, rejects: Rejects, console: Console, opinions_suffice: bool = False) -> Dataset:
    with rejects:
        dataset = read_dataset(path, rejects, console, opinions_suffice)
    if len(rejects):
        console.say(f"the rejected rows are in {rejects.path}")
    return dataset


def _write_json(path: Path, document: Mapping[str, Any], console: Console) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    console.say(str(path))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Fit, measure and use model bundles.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    fit = commands.add_parser("fit", help="learn from a dataset and write a model bundle")
    _reading_arguments(fit)
    fit.add_argument("--out", type=Path, required=True, metavar="MODELS", help="the bundle becomes MODELS/NAME/VERSION")
    fit.add_argument("--name", help="default: the dataset's")
    fit.add_argument("--engine", choices=("local", "spark"), default="local")
    fit.set_defaults(run=fit_command)

    measure = commands.add_parser("evaluate", help="hold a part of a dataset out and measure every model on it")
    _reading_arguments(measure)
    measure.add_argument("--protocol", choices=tuple(PROTOCOLS), default="temporal", help="default: temporal")
    measure.add_argument("--json", type=Path, metavar="FILE", help="write the figures for programs")
    measure.set_defaults(run=evaluate_command)

    language = commands.add_parser("language", help="measure what is learnt from texts and reviews")
    _reading_arguments(language)
    language.add_argument("--only", choices=tuple(PARTS), action="append", help="may be given several times")
    language.add_argument("--json", type=Path, metavar="FILE", help="write the figures for programs")
    language.set_defaults(run=language_command)

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


def _reading_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a directory with interactions")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    parser.add_argument("--seed", type=int, metavar="N", help="default: that of the settings")
    parser.add_argument("--max-rejects", type=float, metavar="SHARE", help="of a file's rows; default: 0.01")
