"""An evaluation as one HTML page: plots and tables, no script, nothing loaded, light and dark, fit to print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from training.beyond import BEYOND
from training.charts import Bar, Point, bars, gains, points
from training.findings import MAIN, Evaluation
from training.metrics import SHOWN
from training.significance import LEVEL

STYLE: Final = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2430; --soft: #5b6675; --line: #dde2e8; --fill: #9db4cc;
  --mark: #c2571a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181e; --ink: #e4e8ee; --soft: #97a3b2; --line: #2d3540;
  --fill: #4e6a88; --mark: #ee9352; } }
@media print { :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --soft: #444444; --line: #cccccc;
  --fill: #9db4cc; --mark: #b04c10; } section { break-inside: avoid; } body { margin: 0; } }
* { box-sizing: border-box; }
body { max-width: 68rem; margin: 2.5rem auto; padding: 0 1.25rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .4rem; }
p { margin: .3rem 0 .9rem; max-width: 46rem; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .32rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
tr.marked td:first-child { color: var(--mark); font-weight: 600; }
td.best { font-weight: 700; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper); }
svg { width: 100%; min-width: 28rem; max-width: 50rem; height: auto; display: block; margin: .5rem 0 1.2rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.grid { stroke: var(--line); } .zero { stroke: var(--soft); } .interval { stroke: var(--ink); stroke-width: 1.4; }
.bar, .dot { fill: var(--fill); } .marked { fill: var(--mark); }
"""


def page(found: Evaluation) -> str:
    title = f"{found.dataset}: {found.protocol}"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>",
            f"<p>{found.train_events:,} interactions to learn from, {found.test_events:,} held out, {found.users:,} "
            f"users asked for among {found.items:,} items. Every ranking goes over the whole catalogue without "
            "what is known of the user.</p>",
            *_sections(found),
            "</body>\n</html>\n",
        ]
    )


def _sections(found: Evaluation) -> Iterator[str]:
    yield _section(
        f"{found.main.upper()} of every model",
        f"Lines are {LEVEL:.0%} bootstrap intervals over users.",
        bars([_bar(found, model) for model in found.models], found.main),
    )
    if found.of_last:
        yield _section(
            f"{found.models[-1]} against each other model",
            f"Mean difference of {found.main} for the same users and its {LEVEL:.0%} interval; right of zero "
            f"{found.models[-1]} is better. p by paired randomisation, corrected after Holm for the comparisons shown.",
            _gains(found),
            _tested(found),
        )
    for k in found.cutoffs:
        yield _section(f"First {k} places", "The best of each column is bold.", _figures(found, SHOWN, k, bold=True))
    yield _section(
        "Beyond being right",
        "Novelty in bits; diversity as mean distance within a list; popularity lift over what users had (0: none); "
        "Gini of how often items are listed (0: all alike).",
        _against_novelty(found),
        _figures(found, BEYOND, found.cutoffs[0], bold=False),
    )
    if found.segments:
        yield _section(
            f"{found.main.upper()} by part of the users and items",
            "Users by the events that are known of them; wanted items by how many took them in the learning part. Cold "
            "items were taken by nobody.",
            _segments(found),
        )
    yield _section(
        "What it took",
        "Memory is the most the process held until the model had answered; one process fits and asks all models.",
        _costs(found),
    )


def _section(title: str, words: str, *inside: str) -> str:
    shown = "\n".join(f'<div class="scroll">{part}</div>' for part in inside)
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(words)}</p>\n{shown}\n</section>"


def _gains(found: Evaluation) -> str:
    """Those that are more than chance are marked."""
    rows = [Bar(one.above, one.mean, one.low, one.high, one.p < 1 - LEVEL) for one in found.of_last]
    return gains(rows, f"{found.models[-1]} against each other model")


def _bar(found: Evaluation, model: str) -> Bar:
    one = found.of(model, MAIN, found.cutoffs[0])
    low, high = (one.value if end is None else end for end in (one.low, one.high))
    return Bar(model, one.value, low, high, marked=model == found.models[-1])


def _against_novelty(found: Evaluation) -> str:
    k = found.cutoffs[0]
    rows = [
        Point(model, found.of(model, "novelty", k).value, found.of(model, MAIN, k).value, model == found.models[-1])
        for model in found.models
    ]
    return points(rows, f"novelty@{k}", found.main, "novelty and quality")


def _figures(found: Evaluation, metrics: Sequence[str], k: int, bold: bool) -> str:
    best = {metric: max(found.of(model, metric, k).value for model in found.models) for metric in metrics}
    rows = []
    for model in found.models:
        values = {metric: found.of(model, metric, k).value for metric in metrics}
        rows.append(
            [(model, False), *((f"{value:.4f}", bold and value == best[name]) for name, value in values.items())]
        )
    return _table(["model", *(f"{metric.replace('_', ' ')}@{k}" for metric in metrics)], rows, found.models[-1])


def _tested(found: Evaluation) -> str:
    rows = [
        [
            (text, False)
            for text in (one.above, f"{one.mean:+.4f}", f"{one.low:+.4f}", f"{one.high:+.4f}", f"{one.p:.4f}")
        ]
        for one in found.of_last
    ]
    return _table([f"{found.models[-1]} above", "by", "from", "to", "p"], rows, "")


def _segments(found: Evaluation) -> str:
    names = list(dict.fromkeys(one.segment for one in found.segments))
    values = {(one.segment, one.model): one for one in found.segments}
    rows = []
    for name in names:
        own = [values[name, model] for model in found.models]
        best = max(one.ndcg for one in own)
        rows.append(
            [(name, False), (f"{own[0].users:,}", False), *((f"{one.ndcg:.4f}", one.ndcg == best > 0) for one in own)]
        )
    return _table(["", "users", *found.models], rows, "")


def _costs(found: Evaluation) -> str:
    rows = []
    for one in found.costs:
        fit = "" if one.fit_seconds is None else f"{one.fit_seconds:.1f}"
        rows.append([(text, False) for text in (one.model, fit, f"{one.ask_seconds:.1f}", f"{one.peak_mb:,.0f}")])
    return _table(["model", "seconds to fit", "seconds to ask", "MiB so far"], rows, found.models[-1])


def _table(header: Sequence[str], rows: Sequence[Sequence[tuple[str, bool]]], marked: str) -> str:
    """Cells are a text and whether it is the best of its kind."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    for row in rows:
        css = ' class="marked"' if row[0][0] == marked else ""
        cells = (f'<td class="best">{escape(text)}</td>' if best else f"<td>{escape(text)}</td>" for text, best in row)
        lines.append(f"<tr{css}>{''.join(cells)}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"
