"""The table of what callers saw: a row for each fault, printed when it is measured and once more at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

from benchmarks.timeline import Sample, Timeline, quantile

QUALITY: Final = "quality"  # which the gateway gives up where there is more to do than time, fault or none
HIDDEN: Final = 0.001
"""Of the answers may lack what another replica could have given, though two of few: those that were being made."""

WIDTH: Final = 38
COLUMNS: Final = ("calls", "failed", "degraded", "p50 before", "p50 after", "p99 before", "p99 after", "from 2 s on")
HEAD: Final = f"{'milliseconds':{WIDTH}}" + "".join(f"{each:>12}" for each in COLUMNS) + f"{'recovered':>12}"


class Tell(Protocol):
    """Says what callers saw of a fault."""

    def __call__(self, what: str, seen: Timeline, *notes: str) -> None: ...


def stays_whole(seen: Timeline, *but: str) -> bool:
    """Whether hardly more answers than before the strike lack a stage, quality and `but` apart."""

    def lacking(samples: Sequence[Sample]) -> int:
        return sum(not set(each.lost) <= {QUALITY, *but} for each in samples)

    count = len(seen.after)
    usual = lacking(seen.before) / max(1, len(seen.before)) * count
    return lacking(seen.after) <= usual + max(2.0, HIDDEN * count)


def row(what: str, seen: Timeline) -> str:
    """`degraded`: answers that lacked a stage, and not only quality."""
    counts = (len(seen.samples), seen.failed, seen.went_without(QUALITY))
    before, after, later = seen.before, seen.after, seen.between(seen.struck + 2.0, seen.ended)
    quantiles = ((before, 0.5), (after, 0.5), (before, 0.99), (after, 0.99), (later, 0.99))
    figures = "".join(f"{1000 * quantile(samples, share):12.0f}" for samples, share in quantiles)
    return f"{what:{WIDTH}}" + "".join(f"{each:12}" for each in counts) + figures + f"{seen.recovery():10g} s"


def details(seen: Timeline) -> list[str]:
    """What answers went without, and why calls failed."""
    lost = Counter(stage for each in seen.samples for stage in each.lost)
    without = [f"without {', '.join(f'{stage} {count}' for stage, count in lost.most_common())}"] if lost else []
    return without + [f"{count} x {error}" for error, count in seen.failures.most_common(3)]


class Report:
    """The rows so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, what: str, seen: Timeline, *notes: str) -> str:
        """The lines that are to be shown at once."""
        first = not self.lines
        self.lines.append(row(what, seen))
        return "\n".join(
            [*([HEAD] if first else []), self.lines[-1], *(f"    {each}" for each in (*details(seen), *notes))]
        )
