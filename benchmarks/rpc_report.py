"""What the figures of benchmarks/rpc.py amount to: medians, ratios to grpc.aio, and floors beside them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

PEER: Final = "grpc.aio"
OURS: Final = "recmesh"
LIMIT: Final = "raw-uvloop"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside the floor it is to reach; `most` where smaller is better."""

    what: str
    figure: float
    floor: float
    aim: float
    most: bool = False

    @property
    def holds(self) -> bool:
        return self.figure <= self.floor if self.most else self.figure >= self.floor


@dataclass(slots=True)
class Report:
    """Everything that was measured."""

    machine: Row
    results: list[Row] = field(default_factory=list[Row])
    large: list[Row] = field(default_factory=list[Row])
    stream: list[Row] = field(default_factory=list[Row])

    def medians(self, rows: Sequence[Row]) -> list[Row]:
        """Over the repeats, in the order in which the cells were measured."""
        cells: dict[tuple[int, int, str], list[Row]] = {}
        for row in rows:
            cells.setdefault((row["payload_bytes"], row["in_flight"], row["contestant"]), []).append(row)
        return [_median(repeats) for repeats in cells.values()]

    def verdicts(self) -> list[Verdict]:
        found = {(row["contestant"], row["payload_bytes"], row["in_flight"]): row for row in self.medians(self.results)}
        return [*_of_calls(found), *_of_large(self.medians(self.large)), *_of_streams(self.stream)]

    def as_json(self) -> Row:
        return {
            "results": self.results,
            "machine": self.machine,
            "medians": self.medians(self.results),
            "large": self.large,
            "stream": self.stream,
            "floors": [asdict(each) | {"holds": each.holds} for each in self.verdicts()],
        }


FIGURES: Final = ("calls_per_s", "p50_us", "p99_us", "server_cpu_us", "client_cpu_us")


def _median(repeats: Sequence[Row]) -> Row:
    same = {name: repeats[0][name] for name in ("contestant", "payload_bytes", "in_flight")}
    return same | {name: statistics.median(row[name] for row in repeats) for name in FIGURES}


# Payload, in flight, and how many times the calls a second of grpc.aio: at least, and hoped for.
RATES: Final = ((100, 128, 10, 15), (100, 16, 7, 8), (100, 1, 4, 5), (10_240, 128, 8, 8), (10_240, 1, 4, 4))


def _of_calls(found: dict[tuple[str, int, int], Row]) -> Iterator[Verdict]:
    for size, in_flight, floor, aim in RATES:
        ours, peer = found.get((OURS, size, in_flight)), found.get((PEER, size, in_flight))
        if ours and peer:
            ratio = round(ours["calls_per_s"] / peer["calls_per_s"], 2)
            yield Verdict(f"calls/s of {PEER}, {size} B, {in_flight} in flight", ratio, floor, aim)
    ours, peer, limit = (found.get((name, 100, 128)) for name in (OURS, PEER, LIMIT))
    if ours and peer:
        share = round(ours["p99_us"] / peer["p99_us"], 4)
        yield Verdict(f"p99 of {PEER}, 100 B, 128 in flight", share, 1 / 8, 1 / 8, most=True)
    if ours:
        yield Verdict("us of server CPU a call, 100 B, 128 in flight", ours["server_cpu_us"], 35, 35, most=True)
    if ours and limit:
        share = round(ours["calls_per_s"] / limit["calls_per_s"], 3)
        yield Verdict(f"calls/s of {LIMIT}, 100 B, 128 in flight (an aim alone)", share, 0, 1 / 5)


def _of_large(medians: Sequence[Row]) -> Iterator[Verdict]:
    took = {row["payload_bytes"]: row["p50_us"] for row in medians if row["contestant"] == OURS}
    if len(took) == 2:
        half, whole = sorted(took)
        ratio = round(took[whole] / took[half], 2)
        yield Verdict(f"time of {whole >> 20} MiB in that of {half >> 20} MiB", ratio, 2.5, 2, most=True)


def _of_streams(rows: Sequence[Row]) -> Iterator[Verdict]:
    for row in rows:
        for end in ("server", "client"):
            peak, size = round(row[f"{end}_peak_bytes"] / 2**20, 1), row["stream_bytes"] >> 20
            yield Verdict(
                f"MiB resident in the {end}, {size} MiB streaming {row['direction']}", peak, 64, 64, most=True
            )


def show(report: Report) -> None:
    _show_cells(report.medians(report.results))
    _show_cells(report.medians(report.large))
    for row in report.stream:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print()
    for each in report.verdicts():
        sign, aim = ("<=" if each.most else ">="), f"aim {each.aim:g}"
        print(
            f"{'holds' if each.holds else 'FAILS':6} {each.figure:8.3g} {sign} {each.floor:<6.4g} {aim:9} {each.what}"
        )


def _show_cells(rows: Sequence[Row]) -> None:
    """A line a cell, with the ratios to grpc.aio in the same cell: above 1, it is the better one."""
    peers = {(row["payload_bytes"], row["in_flight"]): row for row in rows if row["contestant"] == PEER}
    print(f"\n{'':15}{'bytes':>9}{'in flight':>10}{'calls/s':>10}{'p50 us':>10}{'p99 us':>10}{'server':>8}{'client':>8}"
          f"   against {PEER}: rate, p99, CPU")  # fmt: skip
    for row in rows:
        line = f"{row['contestant']:15}{row['payload_bytes']:>9}{row['in_flight']:>10}{row['calls_per_s']:>10,.0f}"
        line += (
            f"{row['p50_us']:>10,.0f}{row['p99_us']:>10,.0f}{row['server_cpu_us']:>8.1f}{row['client_cpu_us']:>8.1f}"
        )
        peer = peers.get((row["payload_bytes"], row["in_flight"]))
        if peer:
            line += f"{row['calls_per_s'] / peer['calls_per_s']:>18.1f}x{peer['p99_us'] / row['p99_us']:>7.1f}x"
            line += f"{peer['server_cpu_us'] / row['server_cpu_us']:>6.1f}x"
        print(line)
