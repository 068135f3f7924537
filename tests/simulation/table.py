"""What is seen of a simulated mesh, as a row of a table and as a plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from tests.simulation.plot import Line, Panel, Span, svg
from tests.simulation.record import Second, answers, attempts, calls, percentiles
from tests.simulation.scenarios import Played

RECOVERY: Final = 5.0  # seconds from the end of a fault, after which all must be well
LEAST_GOODPUT: Final = 0.9  # of what can be answered, while more than that is offered
MOST_ATTEMPTS: Final = 1.2  # a call: a tenth above one is the budget, and each caller has one more attempt a second
POINTS: Final = 180  # of a line, about; more of them make a thicket
HEAD: Final = (
    f"{'':20} {'processes':>9} {'calls':>8} {'offered':>8} {'goodput':>8} {'failed':>7}"
    f" {'p50':>6} {'p99':>6} {'p99.9':>6} {'attempts':>8} {'recovery':>8}\n"
    f"{'':20} {'':9} {'':8} {'a second':>8} {'a second':>8} {'%':>7}"
    f" {'ms':>6} {'ms':>6} {'ms':>6} {'a call':>8} {'s':>8}"
)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of the calls that began while there was a fault; `calls` and `failed` are of all."""

    scenario: str
    endpoints: int
    clients: int
    virtual_s: float
    capacity_per_s: float  # of the processes that some caller uses
    calls: int
    failed: int
    offered_per_s: float
    goodput_per_s: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    amplification: float  # attempts sent for a call
    recovery_s: float  # from the end of a fault to all being well until the next one, at worst
    longest_s: float  # that any call took, failed ones included

    def __str__(self) -> str:
        return (
            f"{self.scenario:20} {self.endpoints:9} {self.calls:8} {self.offered_per_s:8.0f} {self.goodput_per_s:8.0f}"
            f" {100 * self.failed / self.calls:7.3f} {self.p50_ms:6.0f} {self.p99_ms:6.0f} {self.p999_ms:6.0f}"
            f" {self.amplification:8.2f} {self.recovery_s:8.0f}"
        )


def row_of(played: Played) -> Row:
    world, size, record = played.world, played.world.size, played.world.record
    every = record.between(0, played.until)
    during = [second for each in played.faults for second in record.between(each.begin, each.end)]
    p50, p99, p999 = (1000 * each for each in percentiles(during, 0.5, 0.99, 0.999))
    faults = [*played.faults, Span("", played.until, played.until)]
    return Row(
        scenario=played.name,
        endpoints=size.endpoints,
        clients=size.clients,
        virtual_s=played.until,
        capacity_per_s=size.capacity * world.reachable,
        calls=calls(every),
        failed=calls(every) - answers(every),
        offered_per_s=calls(during) / len(during),
        goodput_per_s=answers(during) / len(during),
        p50_ms=p50,
        p99_ms=p99,
        p999_ms=p999,
        amplification=attempts(during) / calls(during),
        recovery_s=max(record.recovery(fault.end, following.begin) for fault, following in pairwise(faults)),
        longest_s=record.longest,
    )


def markdown(rows: Sequence[Row]) -> str:
    """The table of the rows, as a page has it."""
    lines = [
        "| | calls | offered a second | answered | failed | p50 ms | p99 ms | p99.9 ms | attempts a call | well in |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = (f"{each:,.0f}" if isfinite(each) else "" for each in (row.p50_ms, row.p99_ms, row.p999_ms))
        cells = [
            row.scenario,
            f"{row.calls:,}",
            f"{row.offered_per_s:,.0f}",
            f"{row.goodput_per_s:,.0f}",
            f"{100 * row.failed / row.calls:.3g} %",
            *times,
            f"{row.amplification:.2f}",
            f"{row.recovery_s:.0f} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def complaints(row: Row) -> Sequence[str]:
    """A sentence for whatever is as it should not be."""
    found = []
    if row.recovery_s > RECOVERY:
        found.append(f"{row.scenario}: not well within {RECOVERY:g} s of the fault's end, but {row.recovery_s:g} s")
    if row.amplification > MOST_ATTEMPTS:
        found.append(f"{row.scenario}: {row.amplification:.2f} attempts a call, over {MOST_ATTEMPTS:g}")
    if row.offered_per_s > row.capacity_per_s and row.goodput_per_s < LEAST_GOODPUT * row.capacity_per_s:
        found.append(f"{row.scenario}: {row.goodput_per_s:.0f} answers a second, of {row.capacity_per_s:.0f} possible")
    return found


def plot_of(played: Played) -> str:
    record, size = played.world.record, played.world.size
    wide = max(1, round(played.until / POINTS))  # seconds that a point stands for
    points = [(at, record.between(at, min(at + wide, played.until))) for at in range(0, int(played.until), wide)]

    def line(value: Callable[[Sequence[Second]], float]) -> list[tuple[float, float]]:
        return [(at + wide / 2, value(seconds)) for at, seconds in points]

    rates = [
        Line("answered", line(lambda seconds: answers(seconds) / wide), "#1a7f5a", filled=True),
        Line("calls", line(lambda seconds: calls(seconds) / wide), "#57606a"),
        Line("attempts", line(lambda seconds: attempts(seconds) / wide), "#d1742f", dashed=True),
    ]
    times = [
        Line("p50", line(lambda seconds: 1000 * percentiles(seconds, 0.5)[0]), "#7aa7d9"),
        Line("p99", line(lambda seconds: 1000 * percentiles(seconds, 0.99)[0]), "#1f5fa8"),
    ]
    title = f"{played.name}: {size.endpoints:,} processes, {size.clients} callers"
    return svg(title, [Panel("calls a second", rates), Panel("milliseconds an answer", times)], played.faults)
