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
from tests.simulation.table import HEAD, RECOVERY, plot_of, row_of
from tests.simulation.world import Size

RESULTS: Final = Path("benchmarks/results/simulation")

# A thousand processes can answer 50,000 calls a second, more than can be simulated in minutes. So they have little to
# do where the fault is not about having much to do; where it is, there are fewer of them.
WORK: Final = Work(seconds=0.02)
MANY: Final = Size(endpoints=1_000, clients=100, load=0.04, work=WORK)
BUSY: Final = Size(endpoints=100, clients=100, load=0.4, work=WORK)
HOUR: Final = Size(endpoints=1_000, clients=100, load=0.002, work=WORK)

PLAYS: Final = {
    **{each.name: partial(play, each, MANY) for each in scenarios.LOCAL},
    **{each.name: partial(play, each, BUSY) for each in scenarios.GENERAL},
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
    print(HEAD)
    for name, begin in PLAYS.items():
        if given.only in name:
            started = time.process_time()
            played = begin()
            row = row_of(played)
            print(row, flush=True)
            results.append(asdict(row) | {"cpu_s": round(time.process_time() - started, 1)})
            (given.out / f"{name.replace(' ', '-')}.svg").write_text(plot_of(played))
    (given.out / "results.json").write_text(json.dumps({"results": results}, indent=1) + "\n")
    collapsed = [each["scenario"] for each in results if each["recovery_s"] > RECOVERY]
    if collapsed:
        print(f"not well within {RECOVERY:g} s of the fault's end: {', '.join(collapsed)}")
    return 1 if collapsed else 0


if __name__ == "__main__":
    sys.exit(main())
