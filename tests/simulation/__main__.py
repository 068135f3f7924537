"""Plays every scenario at full size: a table on the screen, a plot of each, and all figures as JSON."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.simulation import scenarios
from tests.simulation.process import Work
from tests.simulation.scenarios import play, play_an_hour
from tests.simulation.table import HEAD, Row, complaints, markdown, plot_of, row_of
from tests.simulation.world import Size

RESULTS: Final = Path("benchmarks/results/simulation")

# Of 50 ms a call a thousand processes answer 20,000 a second, as many as can be simulated in minutes. They are asked
# 4,000; in the hour 100, as many as can be simulated of an hour.
WORK: Final = Work(seconds=0.05)
BUSY: Final = Size(endpoints=1_000, clients=100, load=0.2, work=WORK)
HOUR: Final = Size(endpoints=1_000, clients=100, load=0.005, work=WORK)

PLAYS: Final = {
    **{each.name: partial(play, each, BUSY) for each in scenarios.ALL},
    "an hour of all": partial(play_an_hour, HOUR),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="the scenarios whose name holds it")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="for plots and results.json")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    gc.set_threshold(100_000, 50, 50)  # there are many objects, and nearly all of them stay
    results: list[dict[str, Any]] = []
    rows: list[Row] = []
    print(HEAD)
    for name, begin in PLAYS.items():
        if given.only in name:
            started = time.process_time()
            played = begin()
            row = row_of(played)
            print(row, flush=True)
            results.append(asdict(row) | {"cpu_s": round(time.process_time() - started, 1)})
            (given.out / f"{name.replace(' ', '-')}.svg").write_text(plot_of(played))
            rows.append(row)
    (given.out / "results.json").write_text(json.dumps({"results": results}, indent=1) + "\n")
    (given.out / "results.md").write_text(markdown(rows))
    wrong = [complaint for row in rows for complaint in complaints(row)]
    print("\n".join(wrong) or "no scenario ends in a state that outlasts its cause")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
