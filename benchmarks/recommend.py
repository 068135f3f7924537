"""A recommendation through the whole mesh beside the same work in one process, in one run.

    python -m benchmarks.recommend [--bundle MODELS] [--seconds 30] [--kill retrieval-0-0] [--json FILE]

Eight processes on loopback, each user in turn, ten items. `--kill` sends SIGKILL to a process in the middle of every
round of more than one call in flight. Absolute figures do not travel between machines; the ratio within a run does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.bundle import Bundle, find_bundle
from models.histories import Histories
from models.pipeline import LocalRecommender
from recmesh.client import RpcError, aio

CHECKOUT = Path(__file__).resolve().parent.parent
DATASET = CHECKOUT / "examples" / "data" / "ml-latest-small"
IN_FLIGHT = (1, 16, 64)
BASE_PORT = 27_000
COUNT = 10

Row = dict[str, Any]


@contextmanager
def running_mesh(bundle: Path, state: Path) -> Iterator[dict[str, Any]]:
    """What examples/local_mesh.py says of the processes it started."""
    script = [sys.executable, str(CHECKOUT / "examples" / "local_mesh.py")]
    options = ["--bundle", str(bundle), "--base-port", str(BASE_PORT), "--state", str(state)]
    with subprocess.Popen([*script, *options], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        try:
            yield json.loads(starter.stdout.readline())
        finally:
            starter.terminate()


def cpu_seconds(pid: int) -> float:
    """Of a process that lives; 0 of one that was killed."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(address: str, users: Sequence[str], in_flight: int, seconds: float, strike: Callable[[], None]) -> Row:
    took: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + seconds

    async def caller(number: int) -> None:
        place = number
        while time.monotonic() < end:
            begin = time.perf_counter()
            try:
                await client.recommend(users[place % len(users)], count=COUNT)
                took.append(time.perf_counter() - begin)
            except RpcError as error:
                failures.append(str(error))
            place += in_flight

    async with aio.Client(address) as client:
        callers = [asyncio.create_task(caller(number)) for number in range(in_flight)]
        if in_flight > 1:
            await asyncio.sleep(seconds / 2)
            strike()
        await asyncio.gather(*callers)
    return row("mesh", in_flight, took, failures, seconds)


def in_one_process(bundle: Bundle, users: Sequence[str], seconds: float) -> Row:
    recommender, histories = LocalRecommender(bundle), Histories(bundle)
    took: list[float] = []
    spent, end = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        recommender.recommend(histories.of(users[len(took) % len(users)]), COUNT)
        took.append(time.perf_counter() - begin)
    spent = time.process_time() - spent
    return row("one process", 1, took, [], seconds) | {"server_cpu_ms": round(1000 * spent / len(took), 2)}


def row(contestant: str, in_flight: int, took: Sequence[float], failures: Sequence[str], seconds: float) -> Row:
    ordered = sorted(took)
    return {
        "contestant": contestant,
        "in_flight": in_flight,
        "calls": len(ordered),
        "failed": len(failures),
        "failures": sorted(set(failures))[:5],
        "calls_per_s": round(len(ordered) / seconds, 1),
        "p50_ms": round(1000 * ordered[len(ordered) // 2], 2),
        "p99_ms": round(1000 * ordered[int(0.99 * len(ordered))], 2),
    }


def measure(models: Path, seconds: float, victim: str) -> list[Row]:
    path = find_bundle(models)
    bundle = Bundle.open(path)
    users: list[str] = bundle.table("users")["id"].to_pylist()
    rows = [in_one_process(bundle, users, seconds)]
    for in_flight in IN_FLIGHT:
        with tempfile.TemporaryDirectory() as state, running_mesh(path, Path(state)) as mesh:
            pids = {each["name"]: each["pid"] for each in mesh["processes"]}
            before = {name: cpu_seconds(pid) for name, pid in pids.items()}

            def strike(pids: dict[str, int] = pids) -> None:
                if victim:
                    os.kill(pids[victim], signal.SIGKILL)

            asked = asyncio.run(ask(mesh["gateway"], users, in_flight, seconds, strike))
            if not victim:
                spent = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
                asked["server_cpu_ms"] = round(1000 * sum(spent.values()) / asked["calls"], 2)
                asked["cpu_ratio"] = round(asked["server_cpu_ms"] / rows[0]["server_cpu_ms"], 2)
                asked["cpu_ms_by_process"] = {
                    name: round(1000 * each / asked["calls"], 2) for name, each in spent.items()
                }
            rows.append(asked | ({"killed": victim} if victim and in_flight > 1 else {}))
    return rows


def fit(out: Path) -> Path:
    command = [sys.executable, "-m", "training", "fit", str(DATASET), "--out", str(out)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--bundle", type=Path, help="a bundle or a folder of some; without it the shipped films are fitted"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="of each round")
    parser.add_argument("--quick", action="store_true", help="three seconds a round")
    parser.add_argument("--kill", default="", metavar="PROCESS", help="for example retrieval-0-0")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    seconds = 3.0 if options.quick else options.seconds
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.bundle or fit(Path(folder)), seconds, options.kill)
    for each in rows:
        print("  ".join(f"{name} {value}" for name, value in each.items() if value != []))
    if options.json:
        options.json.write_text(json.dumps({"results": rows}, indent=2) + "\n")
    return int(any(each["failed"] for each in rows))


if __name__ == "__main__":
    sys.exit(main())
