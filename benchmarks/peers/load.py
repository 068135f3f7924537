"""Calls in a closed loop, and what they took: the same for every contestant.

A client reads what to do from stdin, a JSON line each, and answers each with a line of figures.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from recmesh.ops.registry import Histogram, Registry

METHOD: Final = "/bench.Echo/Echo"
SECONDS: Final = 10.0  # a call may take: no call here comes near, and every contestant carries it all the same
MOST_BYTES: Final = 32 << 20  # of a message, for those whose limit is lower: the largest here is 16 MiB


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured at once."""

    payload_bytes: int
    in_flight: int
    warm_up: float  # seconds before the window
    seconds: float  # of the window


@dataclass(frozen=True, slots=True)
class Transfer:
    """A stream of so many bytes, "down" from the server or "up" to it."""

    direction: str
    stream_bytes: int
    message_bytes: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a Cell; CPU time a call is user and system time of the whole process."""

    calls_per_s: float
    p50_us: float
    p99_us: float
    server_cpu_us: float
    client_cpu_us: float


@dataclass(frozen=True, slots=True)
class TransferFigures:
    """What came of a Transfer."""

    seconds: float
    server_peak_bytes: int
    client_peak_bytes: int


class Mark(NamedTuple):
    """A moment, and the CPU seconds spent until then."""

    time: float
    client_cpu: float
    server_cpu: float


class Tally:
    """Counts the calls that end within the window of a Cell."""

    def __init__(self, cell: Cell, server_pid: int) -> None:
        self._server_pid = server_pid
        self._begin = time.perf_counter() + cell.warm_up
        self._end = self._begin + cell.seconds
        self._marks: list[Mark] = []
        self._took: list[float] = []

    def count(self, sent: float, done: float) -> bool:
        """Whether another call is to be made: the window opens and closes with the end of a call, and holds one."""
        if len(self._marks) == 1:
            self._took.append(done - sent)
            if done >= self._end:
                self._mark(done)
        elif not self._marks and done >= self._begin:
            self._mark(done)
        return len(self._marks) < 2

    def _mark(self, done: float) -> None:
        self._marks.append(Mark(done, time.process_time(), cpu_seconds(self._server_pid)))

    def figures(self) -> Figures:
        took, calls = sorted(self._took), len(self._took)
        first, last = self._marks
        return Figures(
            calls_per_s=round(calls / (last.time - first.time), 1),
            p50_us=round(1e6 * took[calls // 2], 1),
            p99_us=round(1e6 * took[int(0.99 * calls)], 1),
            server_cpu_us=round(1e6 * (last.server_cpu - first.server_cpu) / calls, 2),
            client_cpu_us=round(1e6 * (last.client_cpu - first.client_cpu) / calls, 2),
        )


def cpu_seconds(pid: int) -> float:
    """Of another process, by its clock as Linux numbers it: see clock_getcpuclockid(3). It has no ticks to round to."""
    return time.clock_gettime(~pid << 3 | 2)


async def caller(call: Callable[[], Awaitable[object]], tally: Tally) -> None:
    """One of those in flight: the next call begins when the last one is answered."""
    sent = time.perf_counter()
    goes_on = True
    while goes_on:
        await call()
        done = time.perf_counter()
        goes_on = tally.count(sent, done)
        sent = done


def cell_of(line: str) -> Cell:
    return Cell(**json.loads(line))


def order_of(line: str) -> Cell | Transfer:
    fields = json.loads(line)
    return Transfer(**fields) if "direction" in fields else Cell(**fields)


def tell(figures: Figures | TransferFigures) -> None:
    print(json.dumps(asdict(figures)), flush=True)


class Observed:
    """What a user adds to a runtime without: a histogram of durations by method and code, and a traceparent."""

    def __init__(self, name: str) -> None:
        self._durations: Histogram = Registry().histogram(name, "Calls.", "method", "code")
        self._rng = random.Random(1)

    def record(self, begin: float, code: str) -> None:
        self._durations.observe(time.monotonic() - begin, METHOD, code)

    def traceparent(self, parent: str = "") -> str:
        """As W3C writes it: a new span, below `parent` if there is one."""
        trace_id = parent[3:35] if parent else self._rng.randbytes(16).hex()
        return f"00-{trace_id}-{self._rng.randbytes(8).hex()}-00"
