"""The command `python -m training quality`: runs the rows that are not done, and writes their figures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from training.console import Console
from training.errors import SettingsError
from training.inputs import write_text
from training.quality.results import Results
from training.quality.rows import read_rows
from training.quality.run import run_all
from training.quality.table import markdown, verdict

FOLDER: Final = "QUALITY_DATA"


def quality_arguments(parser: argparse.ArgumentParser) -> None:
    names = [row.name for row in read_rows()]
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help=f"of the data that does not ship; default: ${FOLDER}"
    )
    parser.add_argument("--out", type=Path, default=Path("quality.json"), metavar="FILE", help="default: quality.json")
    parser.add_argument("--only", choices=names, action="append", help="may be given several times")
    parser.add_argument("--again", action="store_true", help="run rows that are done, too")
    parser.add_argument("--table", type=Path, metavar="FILE", help="run nothing; write what is done as Markdown")
    parser.set_defaults(run=quality_command)


def quality_command(given: argparse.Namespace, console: Console) -> None:
    rows, results = read_rows(), Results.read(given.out)
    if given.table:
        write_text(given.table, markdown(rows, results), console)
        return
    folder = given.data or (Path(os.environ[FOLDER]) if os.environ.get(FOLDER) else None)
    if folder and not folder.is_dir():
        raise SettingsError(f"{folder}: no such directory; name the folder of data by --data or {FOLDER}")
    chosen = [row for row in rows if not given.only or row.name in given.only]
    for row in (row for row in chosen if results.has(row) and not given.again):
        console.say(f"{row.name}: done by an earlier run")
    open_rows = [row for row in chosen if given.again or not results.has(row)]
    log_path = given.out.with_suffix(".log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("a", encoding="utf-8") as log:
        for row, figures, tests in run_all(open_rows, folder and folder.resolve(), console.say, log):
            results.add(row, figures, tests)
            for reach in row.reach:
                console.say(verdict(reach, figures))
    console.say(f"{given.out}; what the runs said: {log_path}")
