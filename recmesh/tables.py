"""Answers as text for people: aligned columns, cut to the width of the terminal."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from recmesh import client as values

GAP: Final = "  "
JOINERS: Final = "\u200c\u200d"  # within words of Persian and Hindi, and within emoji: without width or harm
LEAST: Final = 8  # columns of a text that is cut: fewer say nothing


def table(heads: Sequence[str], rows: Sequence[Sequence[str | int | float]], width: int | None = None) -> str:
    """Numbers stand to the right, texts to the left; the widest texts are cut until a line fits into `width`.

    Columns without any value are left out.
    """
    kept = [place for place in range(len(heads)) if any(row[place] != "" for row in rows)]
    cells = [[heads[place] for place in kept]] + [[_cell(row[place]) for place in kept] for row in rows]
    right = [all(isinstance(row[place], int | float) for row in rows) for place in kept]
    wide = [max(columns(row[place]) for row in cells) for place in range(len(kept))]
    while width is not None and sum(wide) + len(GAP) * (len(wide) - 1) > width and max(wide, default=0) > LEAST:
        wide[wide.index(max(wide))] -= 1
    return "\n".join(
        GAP.join(_fit(*each) for each in zip(row, wide, right, strict=True)).rstrip() for row in cells if kept
    )


def plain(text: str) -> str:
    """On one line, and without what a terminal would take for a command."""
    return "".join(each if each.isprintable() or each in JOINERS else " " for each in text)


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return plain(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def columns(text: str) -> int:
    """Of a terminal."""
    return sum(map(_columns_of, text))


def _columns_of(letter: str) -> int:
    """Letters of East Asia take two, marks and joiners none."""
    if letter.isascii():
        return 1
    return (
        0
        if letter in JOINERS or unicodedata.category(letter) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
    )


def _fit(text: str, wide: int, right: bool) -> str:
    taken = columns(text)
    if taken > wide:
        ends = itertools.accumulate(map(_columns_of, text))
        text = text[: sum(end < wide for end in ends)] + "…"
        taken = columns(text)
    space = " " * (wide - taken)
    return space + text if right else text + space


def answer(given: values.Answer, width: int | None = None) -> str:
    """The items with their reasons, or where none were asked for with the sources that proposed them."""
    explained = any(item.reasons for item in given.items)
    rows = [
        (
            place,
            item.title,
            item.id,
            item.score,
            "; ".join(reason.text for reason in item.reasons) if explained else ", ".join(item.sources),
        )
        for place, item in enumerate(given.items, 1)
    ]
    shown = table(("", "title", "item", "score", "why" if explained else "from"), rows, width)
    return "\n".join([shown if rows else "no item was found", *shortcomings(given)])


def shortcomings(given: values.Answer) -> list[str]:
    lines = []
    if given.degraded:
        lines.append(f"the answer is plainer than usual: it had to do without {', '.join(given.degraded)}")
    if given.shards_answered < given.shards_total:
        lines.append(
            f"a part of the catalogue is missing: {given.shards_answered} of {given.shards_total} shards answered"
        )
    return lines


def history(given: values.UserHistory, width: int | None = None) -> str:
    rows = [
        (
            moment(past.event.timestamp),
            past.event.type,
            "" if past.event.value is None else f"{past.event.value:g}",
            past.title,
            past.event.item_id,
            past.event.text,
        )
        for past in given.events
    ]
    return table(("time (UTC)", "event", "value", "title", "item", "text"), rows, width)


def status(given: values.MeshStatus, width: int | None = None) -> str:
    rows = [
        (
            f"{upstream.service} {upstream.shard}" if upstream.service == "retrieval" else upstream.service,
            endpoint.address,
            endpoint.state if endpoint.health in ("", "healthy") else endpoint.health,
            1000 * endpoint.cost_seconds,
            endpoint.in_flight,
            endpoint.calls,
            endpoint.failures,
            endpoint.ejections,
            ", ".join(endpoint.bundle_versions),
            f"{duration(endpoint.last_error_age_seconds)} ago: {endpoint.last_error}" if endpoint.last_error else "",
        )
        for upstream in given.upstreams
        for endpoint in upstream.endpoints
    ]
    heads = (
        "service", "address", "state", "cost ms", "in flight", "calls", "failed", "ejected", "bundles", "last error",
    )  # fmt: skip
    state = f"serving bundle {given.bundle_version}" if given.serving else "not serving"
    if not given.bundle_version:
        state += ": no bundle is loaded by every service"
    head = f"{state}, up for {duration(given.uptime_seconds)}, build {given.build}"
    if 0.0 < given.quality < 1.0:
        head += f", doing {given.quality:.0%} of the optional work"
    head = "\n".join([head, *_missing(given)])
    return "\n\n".join([head, table(heads, rows, width), _calls(given, width), *_problems(given)])


def _missing(given: values.MeshStatus) -> list[str]:
    """What callers notice, which is not to be worked out from a table."""
    return [
        f"retrieval {upstream.shard} is away: that part of the catalogue is missing from every answer"
        if upstream.service == "retrieval"
        else f"{upstream.service} is away: answers go without it"
        for upstream in given.upstreams
        if not any(map(_usable, upstream.endpoints))
    ]


def _usable(endpoint: values.EndpointStatus) -> bool:
    return not endpoint.problem and endpoint.state != "backing off" and endpoint.health != "ejected"


def _calls(given: values.MeshStatus, width: int | None) -> str:
    """How the gateway's calls to each service go, its shards taken together."""
    services: dict[str, list[values.UpstreamStatus]] = {}
    for upstream in given.upstreams:
        services.setdefault(upstream.service, []).append(upstream)
    rows = [
        (
            service,
            shards[0].in_flight,
            shards[0].limit,
            shards[0].queued,
            shards[0].retry_budget,
            sum(shard.hedges_sent for shard in shards),
            sum(shard.hedges_won for shard in shards),
            f"{shards[0].throttle:.0%}",
            "yes" if any(shard.panic for shard in shards) else "",
        )
        for service, shards in services.items()
    ]
    heads = ("service", "in flight", "limit", "queued", "retry budget", "hedges", "won", "held back", "panic")
    return table(heads, rows, width)


def _problems(given: values.MeshStatus) -> list[str]:
    """Below the table, whose columns would cut them short."""
    lines = [
        f"  {upstream.service} {endpoint.address}: {plain(endpoint.problem)}"
        for upstream in given.upstreams
        for endpoint in upstream.endpoints
        if endpoint.problem
    ]
    return ["\n".join(["wrong now:", *lines])] if lines else []


def moment(timestamp: float) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a time no calendar has
        return f"{timestamp:g}"


def duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
