"""What several commands of `python -m training` take and do alike: arguments, settings, reading, JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.console import Console
from training.datasets.model import Dataset
from training.datasets.reader import dataset_name, read_dataset
from training.datasets.rejects import Rejects
from training.errors import SettingsError
from training.preprocessing import Prepared, prepare
from training.reviews import judge
from training.settings import TrainingSettings, read_settings


def reading_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a directory with interactions")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    parser.add_argument("--seed", type=int, metavar="N", help="default: that of the settings")
    parser.add_argument("--max-rejects", type=float, metavar="SHARE", help="of a file's rows; default: 0.01")


def settings_given(given: argparse.Namespace) -> TrainingSettings:
    settings = read_settings(given.config)
    try:
        if given.seed is not None:
            settings = replace(settings, fit=replace(settings.fit, seed=given.seed))
        if given.max_rejects is not None:
            settings = replace(settings, max_rejects=given.max_rejects)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return settings


def rejects_here(path: Path, settings: TrainingSettings) -> Rejects:
    """For commands that write no bundle: beside where they run."""
    return Rejects(Path(f"{dataset_name(path)}.rejects.jsonl"), settings.max_rejects)


def cleaned(path: Path, rejects: Rejects, settings: TrainingSettings, console: Console) -> tuple[Prepared, str, str]:
    """The cleaned dataset, its name and its fingerprint; says what cleaning did."""
    dataset = read(path, rejects, console)
    judged = judge(dataset, settings.sentiment, settings.fit.seed, console)
    with console.stage("clean", 1) as stage:
        prepared = prepare(dataset, settings.preprocessing, judged)
        stage.advance()
    for line in prepared.report.lines():
        console.say(line)
    return prepared, dataset.name, dataset.fingerprint


def read(path: Path, rejects: Rejects, console: Console, opinions_suffice: bool = False) -> Dataset:
    with rejects:
        dataset = read_dataset(path, rejects, console, opinions_suffice)
    if len(rejects):
        console.say(f"the rejected rows are in {rejects.path}")
    return dataset


def write_json(path: Path, document: Mapping[str, Any], console: Console) -> None:
    write_text(path, json.dumps(document, indent=1) + "\n", console)


def write_text(path: Path, text: str, console: Console) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    console.say(str(path))
