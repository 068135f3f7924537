"""Plots as SVG: bars with intervals, differences around zero, and points. Colours are the page's variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 600  # of every plot, in its own units: its letters stay readable as it shrinks and grows
LETTER: Final = 7  # the width of a letter of a label, rather more than less
LONGEST: Final = 26  # letters of a name that are shown: with them a third of the plot is names
RIGHT: Final = 70  # for the figures behind the bars
ROW: Final = 26
AXIS: Final = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and where it may lie."""

    name: str
    value: float
    low: float
    high: float
    marked: bool = False  # drawn in the colour of what the page is about


@dataclass(frozen=True, slots=True)
class Point:
    """Two figures of one model."""

    name: str
    x: float
    y: float
    marked: bool = False


def bars(rows: Sequence[Bar], title: str) -> str:
    """A bar a row from zero, its interval as a line on its end."""
    top = max(nice_ticks(0, max((row.high for row in rows), default=1.0)))
    left = _room(rows)
    scale = (WIDTH - left - RIGHT) / top

    def place(value: float) -> float:
        return left + max(value, 0.0) * scale

    height = ROW * len(rows) + AXIS
    parts = [*_grid(nice_ticks(0, top), place, height)]
    for number, row in enumerate(rows):
        middle = ROW * number + ROW / 2
        css = "bar marked" if row.marked else "bar"
        parts += [
            _text(left - 8, middle + 4, _short(row.name), "end"),
            f'<rect class="{css}" x="{left}" y="{middle - 8:.1f}" width="{place(row.value) - left:.1f}" height="16"'
            f' rx="2"><title>{escape(row.name)}: {row.value:.4f} ({row.low:.4f} to {row.high:.4f})</title></rect>',
            *_interval(place(row.low), place(row.high), middle),
            _text(place(row.high) + 8, middle + 4, f"{row.value:.4f}", "start"),
        ]
    return _svg(height, title, parts)


def gains(rows: Sequence[Bar], title: str) -> str:
    """Differences around zero: a point a row with its interval."""
    ends = [0.0, *(end for row in rows for end in (row.low, row.high))]
    ticks = nice_ticks(min(ends), max(ends))
    span, left = ticks[-1] - ticks[0], _room(rows)

    def place(value: float) -> float:
        return left + (value - ticks[0]) / span * (WIDTH - left - RIGHT)

    height = ROW * len(rows) + AXIS
    parts = [*_grid(ticks, place, height), _line(place(0), 0, place(0), height - AXIS, "zero")]
    for number, row in enumerate(rows):
        middle = ROW * number + ROW / 2
        css = "dot marked" if row.marked else "dot"
        parts += [
            _text(left - 8, middle + 4, _short(row.name), "end"),
            *_interval(place(row.low), place(row.high), middle),
            f'<circle class="{css}" cx="{place(row.value):.1f}" cy="{middle:.1f}" r="5"/>',
            _text(WIDTH - RIGHT + 8, middle + 4, f"{row.value:+.4f}", "start"),
        ]
    return _svg(height, title, parts)


def points(rows: Sequence[Point], across: str, up: str, title: str) -> str:
    """One point a model; its name beside it."""
    height, left, bottom = 340, 56, 50
    right = _room(rows)
    xs, ys = ([getattr(row, axis) for row in rows] for axis in "xy")
    over, along = nice_ticks(min([*xs, 0.0]), max(xs)), nice_ticks(0, max(ys))

    def x_place(value: float) -> float:
        return left + (value - over[0]) / (over[-1] - over[0]) * (WIDTH - left - right)

    def y_place(value: float) -> float:
        return height - bottom - value / along[-1] * (height - bottom - 12)

    parts = [*_grid(over, x_place, height - bottom + AXIS)]
    for tick in along:
        parts += [
            _line(left, y_place(tick), WIDTH - right, y_place(tick), "grid"),
            _text(left - 6, y_place(tick) + 4, f"{tick:g}", "end"),
        ]
    placed: list[tuple[float, float, float]] = []
    for row in sorted(rows, key=lambda row: -row.y):
        x, y = x_place(row.x), y_place(row.y)
        parts.append(f'<circle class="{"dot marked" if row.marked else "dot"}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
        name = _short(row.name)
        parts.append(_text(x + 9, _free(x, y + 4, LETTER * len(name), placed), name, "start"))
    parts += [_text(left, height - 2, f"across: {across}; up: {up}", "start")]
    return _svg(height, title, parts)


def _free(x: float, y: float, width: float, placed: list[tuple[float, float, float]]) -> float:
    """A height where a name hides none placed before it; `placed`: of each its place and width."""
    while any(x < left + wide and left < x + width and abs(y - above) < 13 for left, above, wide in placed):
        y += 13
    placed.append((x, y, width))
    return y


def _room(rows: Sequence[Bar] | Sequence[Point]) -> float:
    """For the names of models."""
    return LETTER * max((len(_short(row.name)) for row in rows), default=0) + 20


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`, equally far apart."""
    span = high - low
    if not span > 0:
        high, span = low + 1, 1.0
    rough = span / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _grid(ticks: Sequence[float], place: Callable[[float], float], height: float) -> Iterator[str]:
    for tick in ticks:
        yield _line(place(tick), 0, place(tick), height - AXIS, "grid")
        yield _text(place(tick), height - AXIS + 18, f"{tick:g}", "middle")


def _interval(low: float, high: float, middle: float) -> Iterator[str]:
    yield _line(low, middle, high, middle, "interval")
    yield _line(low, middle - 4, low, middle + 4, "interval")
    yield _line(high, middle - 4, high, middle + 4, "interval")


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">\n{inside}\n</svg>'
