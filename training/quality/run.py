"""Runs a row: its command in a process of its own, so that seconds and memory are the row's alone."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

from training.errors import DatasetError
from training.quality.results import Measured
from training.quality.rows import Row
from training.toml import dumps

ROOT: Final = Path(__file__).parents[2]
SHIPPED: Final = ROOT / "examples" / "data"
EXTRA: Final[Mapping[str, str]] = {"torch": "neural"}  # that brings what a row needs
SENTENCES: Final = {"rt-polarity.pos": 1, "rt-polarity.neg": 0}


def where(row: Row, folder: Path | None) -> Path | None:
    """The row's data; None: it does not ship, and the folder does not have it."""
    if row.ships:
        return SHIPPED / row.data
    path = folder / row.data if folder else None
    return path if path and path.exists() else None


def run(row: Row, seed: int, data: Path, folder: Path | None, log: TextIO) -> tuple[list[Measured], list[Any]]:
    """The figures of one seed, and the tests of the last model against each other one."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        if row.unpack:
            data = UNPACK[row.unpack](data, place / "data")
        settings, found = place / "settings.toml", place / "found.json"
        settings.write_text(dumps(row.settings), encoding="utf-8")
        command, *arguments = (part.replace("{folder}", str(folder)) for part in row.command)
        whole = [sys.executable, "-m", "training", command, str(data.resolve()), *arguments]
        whole += ["--seed", str(seed), "--config", str(settings), "--json", str(found)]
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(whole, cwd=place, env=surroundings, stdout=log, stderr=log, check=False)  # noqa: S603  ours
        if done.returncode:
            raise DatasetError(f"{row.name}: the run ended with code {done.returncode}; its output says why")
        document = json.loads(found.read_text(encoding="utf-8"))
    read = of_evaluation if row.command[0] == "evaluate" else of_language
    figures = read(row, seed, document)
    if row.variant:
        figures = (replace(one, protocol=f"{one.protocol}, {row.variant}") for one in figures)
    return list(figures), document.get("differences", [])


def of_evaluation(row: Row, seed: int, document: Mapping[str, Any]) -> Iterator[Measured]:
    costs = {one["model"]: one for one in document["costs"]}
    peak = max(one["peak_mb"] for one in costs.values())
    for one in document["results"]:
        cost = costs[one["model"]]
        seconds = round((cost["fit_seconds"] or 0.0) + cost["ask_seconds"], 2)
        yield Measured(
            row.data, document["protocol"], one["model"], one["metric"], one["k"], one["value"], seed, seconds, peak
        )


def of_language(row: Row, seed: int, document: Mapping[str, Any]) -> Iterator[Measured]:
    """A metric is named as "recall@10", or the part's name ends with it and the columns are variants of the model."""
    seconds, peak = round(sum(document["seconds"].values()), 2), document["peak_mb"]
    first = document["results"][0]["metric"]
    seeded = any(one["metric"].startswith("seed ") for one in document["results"])
    for one in document["results"]:
        protocol, model, metric, split = one["part"], one["model"], one["metric"], seed
        before, _, last = protocol.rpartition(", ")
        if "@" in last:
            protocol, model, metric = before, f"{model}, {metric}", last
        elif metric.startswith("seed "):
            metric, split = first, int(metric.removeprefix("seed "))
        elif seeded:
            continue  # the mean of the seeds, which stand for themselves
        name, _, k = metric.partition("@")
        yield Measured(row.data, protocol, model, name, int(k or 0), one["value"], split, seconds, peak)


def _sentences(archive: Path, out: Path) -> Path:
    """The archive of sentence polarity as a table of opinions."""
    out.mkdir()
    with tarfile.open(archive) as packed, (out / "opinions.jsonl").open("w", encoding="utf-8") as file:
        for member in packed:
            value = SENTENCES.get(Path(member.name).name)
            content = packed.extractfile(member) if value is not None else None
            for line in content or ():
                file.write(json.dumps({"text": line.decode("latin-1").strip(), "value": value}) + "\n")
    (out / "dataset.toml").write_text('name = "sentences"\n\n[opinions]\nscale = [0, 1]\n', encoding="utf-8")
    return out


UNPACK: Final[Mapping[str, Callable[[Path, Path], Path]]] = {"sentences": _sentences}


def run_all(
    rows: Sequence[Row], folder: Path | None, say: Callable[[str], None], log: TextIO
) -> Iterator[tuple[Row, list[Measured], list[Any]]]:
    """Each row whose data is there, when all its seeds are done."""
    for row in rows:
        data = where(row, folder)
        if data is None:
            say(f"{row.name}: skipped, {row.data} does not ship with this project; name a folder that has it by --data")
            continue
        if row.needs and importlib.util.find_spec(row.needs) is None:
            say(f'{row.name}: skipped, {row.needs} is not installed; pip install "recmesh[{EXTRA[row.needs]}]"')
            continue
        figures: list[Measured] = []
        tests: list[Any] = []
        for seed in range(row.seeds):
            say(f"{row.name}: seed {seed} ...")
            found, tested = run(row, seed, data, folder, log)
            figures += found
            tests = tests or tested
        yield row, figures, tests
