"""What an evaluation found: figures of every model, how sure they are, and what they are of which part of the users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.beyond import BEYOND
from training.console import table
from training.metrics import SHOWN
from training.segments import SegmentFigure
from training.significance import LEVEL, Difference

MAIN = "ndcg"  # the metric that intervals, tests and segments are shown of, at the first cut-off


@dataclass(frozen=True, slots=True)
class Result:
    """One figure; `low` and `high` where it is a mean over the users."""

    model: str
    metric: str
    k: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model took: fitting, the lists for all users, and the most memory the process held until then."""

    model: str
    fit_seconds: float | None  # None: it was fitted elsewhere
    ask_seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a protocol says of the models on a dataset."""

    dataset: str
    protocol: str
    train_events: int
    test_events: int
    users: int  # who were asked for
    items: int
    cutoffs: Sequence[int]
    results: Sequence[Result]
    differences: Sequence[Difference]  # in MAIN; of the last model against each other one, and of the blend
    segments: Sequence[SegmentFigure]
    costs: Sequence[Cost]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(one.model for one in self.results))

    @property
    def of_last(self) -> list[Difference]:
        """The last model against each other one."""
        return [one for one in self.differences if one.of == self.models[-1]]

    @property
    def main(self) -> str:
        return f"{MAIN}@{self.cutoffs[0]}"

    def of(self, model: str, metric: str, k: int) -> Result:
        return next(one for one in self.results if (one.model, one.metric, one.k) == (model, metric, k))

    def title(self) -> str:
        return (
            f"{self.dataset}, {self.protocol}: {self.train_events:,} interactions to learn from, "
            f"{self.test_events:,} held out, {self.users:,} users asked for among {self.items:,} items"
        )

    def lines(self) -> Iterator[str]:
        """Tables with a row for each model."""
        for k in self.cutoffs:
            yield from self._figures(SHOWN, k)
            yield ""
        yield from self._figures(BEYOND, self.cutoffs[0])
        yield ""
        yield from self._sure()
        yield ""
        yield from self._segments()
        yield ""
        yield from self._costs()
        yield ""

    def _figures(self, metrics: Sequence[str], k: int) -> Iterator[str]:
        header = ("model", *(f"{metric}@{k}" for metric in metrics))
        yield from table(
            header, [(model, *(f"{self.of(model, name, k).value:.4f}" for name in metrics)) for model in self.models]
        )

    def _sure(self) -> Iterator[str]:
        against = {one.above: one for one in self.of_last}
        rows = []
        for model in self.models:
            own = self.of(model, MAIN, self.cutoffs[0])
            cells = [f"{own.value:.4f}", f"{own.low:.4f}", f"{own.high:.4f}"]
            other = against.get(model)
            cells += [] if other is None else [f"{one:+.4f}" for one in (other.mean, other.low, other.high)]
            cells += [""] * 4 if other is None else [f"{other.p:.4f}"]
            rows.append((model, *cells))
        reference = self.models[-1]
        yield from table((self.main, "mean", "from", "to", f"{reference} above it by", "from", "to", "p"), rows)
        yield f"{LEVEL:.0%} bootstrap intervals over users; p by paired randomisation, corrected after Holm"

    def _segments(self) -> Iterator[str]:
        names = list(dict.fromkeys(one.segment for one in self.segments))
        values = {(one.segment, one.model): f"{one.ndcg:.4f}" for one in self.segments}
        users = {one.segment: f"{one.users:,}" for one in self.segments}
        rows = [(name, users[name], *(values[name, model] for model in self.models)) for name in names]
        if rows:
            yield from table((f"{self.main} of", "users", *self.models), rows)

    def _costs(self) -> Iterator[str]:
        rows = [
            (
                one.model,
                "" if one.fit_seconds is None else f"{one.fit_seconds:.1f}",
                f"{one.ask_seconds:.1f}",
                f"{one.peak_mb:,.0f}",
            )
            for one in self.costs
        ]
        yield from table(("model", "seconds to fit", "to ask", "MiB so far"), rows)
