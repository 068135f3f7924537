"""The quality table for people, in Markdown: what was measured, beside what was to be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from training.quality.results import Measured, Results
from training.quality.rows import EVERY_SOURCE, Reach, Row

HEAD = """# Quality: what was measured

Every figure is of a run of `make quality` (see [evaluation](evaluation.md)); this page is written from its results by
`python -m training quality --table FILE`. Rankings go over the whole catalogue without what is known of the user. Where
a row has several seeds, figures are means, with the least and the largest. Seconds are those of fitting and asking one
model (of the blend and the ranker: of all they need), on two cores with other work beside; memory is that of the
process that fits and asks all models of a row.
"""


def markdown(rows: Sequence[Row], results: Results) -> str:
    lines = [HEAD]
    for row in rows:
        if results.has(row):
            lines += [f"## {row.title}", "", *_row(row, results.figures[row.name], results.tests[row.name]), ""]
    missing = [row for row in rows if not results.has(row)]
    if missing:
        lines += ["## Not measured yet", "", *(f"- {row.title} (`{row.name}`)" for row in missing), ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(row: Row, figures: Sequence[Measured], tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    metrics = list(dict.fromkeys(map(named, figures)))
    asked = [metric for metric in metrics if metric in {one.metric for one in row.reach}] or metrics
    asked = list(dict.fromkeys([*asked, *(metric for metric in metrics if metric.startswith(("ndcg@", "macro")))]))
    protocols = dict.fromkeys(one.protocol.partition(", seed")[0] for one in figures)
    yield f"`{row.name}`: {'; '.join(protocols)}; seeds {len({one.split for one in figures})}"
    yield ""
    yield f"| model | {' | '.join(asked)} | seconds | MiB |"
    yield f"|---|{'---|' * (len(asked) + 2)}"
    for model in dict.fromkeys(one.model for one in figures):
        own = [one for one in figures if one.model == model]
        cells = [spread([one.value for one in own if named(one) == metric]) for metric in asked]
        took = f"{np.mean([one.seconds for one in own]):,.0f} | {max(one.peak_mb for one in own):,.0f}"
        yield f"| {model} | {' | '.join(cells)} | {took} |"
    yield ""
    yield from (verdict(reach, figures) for reach in row.reach)
    if tests:
        yield ""
        yield "NDCG at the first cut-off, paired by user, with the first seed; p corrected after Holm:"
        yield ""
    yield from map(_tested, tests)


def _tested(one: Mapping[str, Any]) -> str:
    interval = f"{one['low']:+.4f} to {one['high']:+.4f}"
    return f"- {one['of']} against {one['above']}: {one['mean']:+.4f} ({interval}, p = {one['p']:.4f})"


def verdict(reach: Reach, figures: Sequence[Measured]) -> str:
    of_metric = means([one for one in figures if named(one) == reach.metric])
    found, needed = reach.found(of_metric), reach.needed(of_metric)
    than = f" ({_wanted(reach)})" if reach.than else ""
    if needed is None:
        return f"- {reach.model}, {reach.metric}: nothing to measure it by"
    if found is None:
        return f"- {reach.model}, {reach.metric}: to reach {needed:.4f}{than}: missed, there was none"
    word = "reached" if reach.reached(found, needed) else f"missed by {needed - found:.4f}"
    beyond = f"; beyond: {reach.beyond:g}" if reach.beyond is not None else ""
    return f"- {reach.model}, {reach.metric}: {found:.4f}, to reach {needed:.4f}{than}: {word}{beyond}"


def _wanted(reach: Reach) -> str:
    parts = [f"{reach.times:g} times" if reach.times != 1 else "", f"{reach.plus:g} above" if reach.plus else ""]
    told = " and ".join(filter(None, parts)) or ("not below" if reach.not_below else "above")
    return f"{told} {'the best source' if reach.than == EVERY_SOURCE else reach.than}"


def means(figures: Sequence[Measured]) -> dict[str, float]:
    """By model, in the order they were measured."""
    models = dict.fromkeys(one.model for one in figures)
    return {model: float(np.mean([one.value for one in figures if one.model == model])) for model in models}


def spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def named(one: Measured) -> str:
    return f"{one.metric}@{one.k}" if one.k else one.metric
