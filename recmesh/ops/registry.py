"""Metrics of a process, rendered as Prometheus text.

    calls = registry.counter("recmesh_calls_total", "Calls answered.", "method", "code")
    calls.add(1, "Search", "OK")

Written for one thread: the reactor's.
"""

from __future__ import annotations

import abc
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

MOST_SERIES: Final = 1_000  # of one metric; what lies beyond is summed up under OTHER, so that memory stays bounded
OTHER: Final = "other"

# Seconds: from a lookup in memory to the 30 s no call outlives.
DURATIONS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip

NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

S = TypeVar("S")


class _Metric(abc.ABC):
    """What counters, gauges and histograms share: a name, a help text, and the bounded set of label values."""

    kind = ""

    def __init__(self, name: str, help_text: str, labels: Sequence[str]) -> None:
        self.name = name
        self.labels = tuple(labels)
        self._help = help_text

    def head(self) -> str:
        text = self._help.replace("\\", "\\\\").replace("\n", "\\n")
        return f"# HELP {self.name} {text}\n# TYPE {self.name} {self.kind}\n"

    def series(self, table: dict[tuple[str, ...], S], values: tuple[str, ...], new: Callable[[], S]) -> S:
        found = table.get(values)
        if found is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} of them")
            if len(table) >= MOST_SERIES:
                values = (OTHER,) * len(values)
            found = table.setdefault(values, new())
        return found

    def sample(self, values: tuple[str, ...], value: float, suffix: str = "", bound: str = "") -> str:
        pairs = [f'{name}="{_escaped(text)}"' for name, text in zip(self.labels, values, strict=True)]
        if bound:
            pairs.append(f'le="{bound}"')
        labels = f"{{{','.join(pairs)}}}" if pairs else ""
        return f"{self.name}{suffix}{labels} {_number(value)}\n"

    @abc.abstractmethod
    def lines(self) -> Iterator[str]: ...


class _Numbers(_Metric):
    """A number for each set of label values."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str]) -> None:
        super().__init__(name, help_text, labels)
        self._values: dict[tuple[str, ...], list[float]] = {}
        self._sources: dict[tuple[str, ...], Callable[[], float]] = {}

    def ask(self, source: Callable[[], float], *values: str) -> None:
        """`source` is called whenever the metric is rendered; it must be quick."""
        self._value(values)
        self._sources[values] = source

    def forget(self, *values: str) -> None:
        """The series is shown no longer."""
        self._values.pop(values, None)
        self._sources.pop(values, None)

    def lines(self) -> Iterator[str]:
        for values, value in self._values.items():
            source = self._sources.get(values)
            yield self.sample(values, source() if source else value[0])

    def _value(self, values: tuple[str, ...]) -> list[float]:
        return self.series(self._values, values, lambda: [0.0])


class Counter(_Numbers):
    """Counts what only ever grows."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, labels: Sequence[str]) -> None:
        super().__init__(name, help_text, labels)
        if not labels:
            self.add(0)  # rates need to see the zero before the first event

    def add(self, amount: float, *values: str) -> None:
        if amount < 0:
            raise ValueError(f"{self.name} cannot shrink")
        self._value(values)[0] += amount


class Gauge(_Numbers):
    """A value that goes up and down."""

    kind = "gauge"

    def set(self, value: float, *values: str) -> None:
        self._value(values)[0] = value


class Histogram(_Metric):
    """How values are spread over buckets."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, labels: Sequence[str], bounds: Sequence[float] = DURATIONS) -> None:
        super().__init__(name, help_text, labels)
        self._bounds = tuple(sorted(bounds))
        self._series: dict[tuple[str, ...], _Buckets] = {}

    def observe(self, value: float, *values: str) -> None:
        series = self._series.get(values) or self.series(self._series, values, self._buckets)
        series.counts[bisect_left(self._bounds, value)] += 1
        series.total += value

    def _buckets(self) -> _Buckets:
        return _Buckets(len(self._bounds) + 1)

    def lines(self) -> Iterator[str]:
        for values, series in self._series.items():
            below = 0
            for bound, count in zip((*self._bounds, math.inf), series.counts, strict=True):
                below += count
                yield self.sample(values, below, "_bucket", _number(bound))
            yield self.sample(values, series.total, "_sum")
            yield self.sample(values, below, "_count")


class _Buckets:
    """One series of a histogram."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


M = TypeVar("M", bound=_Metric)


class Registry:
    """All metrics of a process, by name. Asked twice for the same name it gives the same metric."""

    def __init__(self) -> None:
        self._metrics: dict[str, _Metric] = {}

    def counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return self._add(Counter(name, help_text, labels))

    def gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return self._add(Gauge(name, help_text, labels))

    def histogram(self, name: str, help_text: str, *labels: str, bounds: Sequence[float] = DURATIONS) -> Histogram:
        return self._add(Histogram(name, help_text, labels, bounds))

    def render(self) -> str:
        """Prometheus text, version 0.0.4."""
        return "".join(metric.head() + "".join(metric.lines()) for metric in self._metrics.values())

    def _add(self, metric: M) -> M:
        wrong = next((name for name in (metric.name, *metric.labels) if not NAME.fullmatch(name)), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is no name for a metric or a label")
        known = self._metrics.setdefault(metric.name, metric)
        if type(known) is not type(metric) or known.labels != metric.labels:
            raise ValueError(f"{metric.name} exists as a {known.kind} with the labels {known.labels}")
        return known


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
