"""What is seen of a simulated mesh, as a row of a table and as a plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.simulation.plot import Panel, svg
from tests.simulation.record import Second, answers, attempts, calls, percentiles
from tests.simulation.scenarios import Played

RECOVERY: Final = 5.0  # seconds from the end of a fault, after which all must be well
POINTS: Final = 360  # of a line, beyond which nobody sees one
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
    during = [second for begin, end in played.faults for second in record.between(begin, end)]
    p50, p99, p999 = (1000 * each for each in percentiles(during, 0.5, 0.99, 0.999))
    faults = [*played.faults, (played.until, played.until)]
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
        recovery_s=max(record.recovery(end, begin) for (_, end), (begin, _) in pairwise(faults)),
        longest_s=record.longest,
    )


def plot_of(played: Played) -> str:
    record = played.world.record
    wide = max(1, round(played.until / POINTS))  # seconds that a point stands for
    points = [(at, record.between(at, min(at + wide, played.until))) for at in range(0, int(played.until), wide)]

    def line(value: Callable[[Sequence[Second]], float]) -> list[tuple[float, float]]:
        return [(at, value(seconds)) for at, seconds in points]

    rates = {
        "attempts": line(lambda seconds: attempts(seconds) / wide),
        "calls": line(lambda seconds: calls(seconds) / wide),
        "answered": line(lambda seconds: answers(seconds) / wide),
    }
    times = {
        "p99": line(lambda seconds: 1000 * percentiles(seconds, 0.99)[0]),
        "p50": line(lambda seconds: 1000 * percentiles(seconds, 0.5)[0]),
    }
    size = played.world.size
    title = f"{played.name}: {size.endpoints} processes, {size.clients} callers"
    return svg(title, [Panel("a second", rates), Panel("milliseconds", times)], played.faults)
