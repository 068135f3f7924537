"""Calls over loopback, server and client a process each: recmesh beside its peers, in one run.

    python benchmarks/rpc.py [--quick] [--json FILE]

Every contestant answers the same echo over one connection, with a deadline, metrics and a trace in each call, at both
ends. They take turns cell by cell, so that whatever else the machine does meets all of them. Absolute figures do not
travel between machines; the ratios within a run do. What they say is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import machine
from benchmarks.peers import CONTESTANTS
from benchmarks.peers.load import Cell, Transfer
from benchmarks.rpc_report import Report, show

CHECKOUT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("twisted", "protobuf", "grpcio", "uvloop")
WITH_LARGE: Final = ("recmesh", "grpc.aio")  # AMP ends at 64 KiB a value
WITH_STREAMS: Final = "recmesh"
MESSAGE_BYTES: Final = 64 << 10  # of a stream

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and for how long."""

    repeats: int = 5
    seconds: float = 3.0  # of each window
    warm_up: float = 0.5  # before it
    payloads: tuple[int, ...] = (100, 10_240)
    in_flight: tuple[int, ...] = (1, 16, 128)
    large: tuple[int, ...] = (8 << 20, 16 << 20)
    stream_bytes: int = 1 << 30
    contestants: tuple[str, ...] = tuple(CONTESTANTS)


QUICK: Final = Plan(repeats=3, seconds=0.4, warm_up=0.15)


class Pair:
    """A contestant's server and client."""

    def __init__(self, contestant: str, client: subprocess.Popen[str]) -> None:
        self.contestant = contestant
        self._client = client

    def measure(self, payload_bytes: int, in_flight: int, plan: Plan) -> Row:
        figures = self._ask(Cell(payload_bytes, in_flight, plan.warm_up, plan.seconds))
        return {
            "contestant": self.contestant,
            "payload_bytes": payload_bytes,
            "in_flight": in_flight,
            **figures,
        }

    def transfer(self, direction: str, plan: Plan) -> Row:
        what = Transfer(direction, plan.stream_bytes, MESSAGE_BYTES)
        return {"contestant": self.contestant, **asdict(what), **self._ask(what)}

    def _ask(self, order: Cell | Transfer) -> Row:
        assert self._client.stdin is not None
        self._client.stdin.write(json.dumps(asdict(order)) + "\n")
        self._client.stdin.flush()
        figures: Row = json.loads(_line(self._client, self.contestant))
        return figures


@contextmanager
def running(contestant: str) -> Iterator[Pair]:
    """Both ends stop when their stdin closes."""
    with _started(contestant, "serve") as server:
        port = _line(server, contestant)
        with _started(contestant, "call", port, str(server.pid)) as client:
            yield Pair(contestant, client)


@contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.peers", *arguments]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _line(process: subprocess.Popen[str], contestant: str) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        sys.exit(
            f"{contestant} has stopped, and said why above. What the peers need is in the group `bench`: make .venv"
        )
    return line


def compare(plan: Plan) -> Report:
    report = Report(machine(PACKAGES))
    with ExitStack() as stack:
        pairs = [stack.enter_context(running(each)) for each in plan.contestants]
        for repeat in range(plan.repeats):
            for payload_bytes in plan.payloads:
                for in_flight in plan.in_flight:
                    report.results += _turn(pairs, payload_bytes, in_flight, plan, repeat)
        able = [each for each in pairs if each.contestant in WITH_LARGE]
        for repeat in range(plan.repeats):
            for payload_bytes in plan.large:
                report.large += _turn(able, payload_bytes, 1, plan, repeat)
    for direction in ("down", "up"):
        with running(WITH_STREAMS) as pair:  # anew, since what is told is the most memory a process ever held
            report.stream.append(pair.transfer(direction, plan))
    return report


def _turn(pairs: Sequence[Pair], payload_bytes: int, in_flight: int, plan: Plan, repeat: int) -> list[Row]:
    print(f"repeat {repeat + 1}: {payload_bytes} B, {in_flight} in flight", file=sys.stderr, flush=True)
    return [each.measure(payload_bytes, in_flight, plan) | {"repeat": repeat} for each in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short windows: a first look in a minute and a half")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    options = parser.parse_args()
    report = compare(QUICK if options.quick else Plan())
    show(report)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
