"""Line plots as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 720, 150  # of a panel
LEFT, RIGHT, TOP, GAP, BOTTOM = 64, 16, 66, 56, 34  # around and between them
TICKS: Final = 5  # about, on the upright axis
MINUTES: Final = 600  # seconds, from which on the axis of time counts minutes

INK, FAINT, RULE, SHADE = "#24292f", "#6e7781", "#e4e7ea", "#fbeedb"
STYLE: Final = f"""<style>
text {{ font: 12px system-ui, "DejaVu Sans", sans-serif; fill: {FAINT}; }}
.title {{ font-size: 15px; font-weight: 600; fill: {INK}; }}
.unit {{ font-weight: 600; fill: {INK}; }}
path {{ fill: none; stroke-width: 1.6; stroke-linejoin: round; }}
.rule {{ stroke: {RULE}; stroke-width: 1; }}
.axis {{ stroke: {FAINT}; stroke-width: 1; }}
</style>"""


@dataclass(frozen=True, slots=True)
class Line:
    """What one value was over time."""

    name: str
    points: Points
    colour: str
    dashed: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over one axis of time; those named last are drawn above the others."""

    unit: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Span:
    """A time of which something is to be seen."""

    name: str
    begin: float
    end: float


def svg(title: str, panels: Sequence[Panel], spans: Sequence[Span]) -> str:
    """Panels below each other, over seconds."""
    end = max((x for panel in panels for line in panel.lines for x, _ in line.points), default=1.0)
    wide, tall = LEFT + WIDTH + RIGHT, TOP + len(panels) * HEIGHT + (len(panels) - 1) * GAP + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}">',
        STYLE,
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _Drawing(panel, TOP + number * (HEIGHT + GAP), end).parts(spans, named=number == 0)
    return "\n".join([*parts, "</svg>\n"])


class _Drawing:
    """One panel at its place."""

    def __init__(self, panel: Panel, top: float, end: float) -> None:
        most = max((y for line in panel.lines for _, y in line.points if math.isfinite(y)), default=0.0) or 1.0
        self._ticks = ticks(most)
        self._most = max(most, self._ticks[-1]) * 1.04  # no line hides under the edge
        self._panel = panel
        self._top = top
        self._end = end

    def _x(self, seconds: float) -> float:
        return round(LEFT + WIDTH * seconds / self._end, 1)

    def _y(self, value: float) -> float:
        return round(self._top + HEIGHT * (1 - value / self._most), 1)

    def parts(self, spans: Sequence[Span], *, named: bool) -> Iterator[str]:
        yield from self._shades(spans, named)
        yield from self._axes()
        yield f'<text class="unit" x="{LEFT}" y="{self._top - 8}">{escape(self._panel.unit)}</text>'
        yield from self._legend()
        for line in self._panel.lines:
            if line.filled:
                yield f'<path d="{self._area(line.points)}" style="fill: {line.colour}; fill-opacity: .16"/>'
            yield f'<path d="{self._path(line.points)}" {_stroke(line)}/>'

    def _shades(self, spans: Sequence[Span], named: bool) -> Iterator[str]:
        for each in spans:
            left, wide = self._x(each.begin), self._x(each.end) - self._x(each.begin)
            yield f'<rect x="{left}" y="{self._top}" width="{wide:.1f}" height="{HEIGHT}" fill="{SHADE}"/>'
            if named and len(spans) > 1:
                yield (
                    f'<text x="{left + wide / 2:.1f}" y="{self._top + HEIGHT + 30}" text-anchor="middle"'
                    f' style="font-size: 10px">{escape(each.name)}</text>'
                )

    def _axes(self) -> Iterator[str]:
        for tick in self._ticks:
            kind = "rule" if tick else "axis"
            yield f'<path class="{kind}" d="M{LEFT} {self._y(tick)}h{WIDTH}"/>'
            yield f'<text x="{LEFT - 8}" y="{self._y(tick) + 4:.1f}" text-anchor="end">{tick:,g}</text>'
        unit, name = (60.0, "min") if self._end >= MINUTES else (1.0, "s")
        for tick in ticks(self._end / unit, about=8):
            yield (
                f'<text x="{self._x(tick * unit)}" y="{self._top + HEIGHT + 16}" text-anchor="middle">'
                f"{tick:g} {name}</text>"
            )

    def _legend(self) -> Iterator[str]:
        right = LEFT + WIDTH
        for line in reversed(self._panel.lines):
            right -= 7 * len(line.name)
            yield f'<text x="{right}" y="{self._top - 8}">{escape(line.name)}</text>'
            yield f'<path d="M{right - 24} {self._top - 12}h18" {_stroke(line)}/>'
            right -= 40

    def _path(self, points: Points) -> str:
        """Broken where there is no value."""
        steps, drawn = [], False
        for at, value in points:
            if math.isfinite(value):
                steps.append(f"{'L' if drawn else 'M'}{self._x(at)} {self._y(value)}")
            drawn = math.isfinite(value)
        return "".join(steps)

    def _area(self, points: Points) -> str:
        inner = "".join(f"L{self._x(at)} {self._y(value)}" for at, value in points if math.isfinite(value))
        return f"M{self._x(points[0][0])} {self._y(0)}{inner}L{self._x(points[-1][0])} {self._y(0)}Z"


def _stroke(line: Line) -> str:
    dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
    return f'stroke="{line.colour}"{dashes}'


def ticks(most: float, about: int = TICKS) -> Sequence[float]:
    """Round numbers from 0 up to `most`."""
    rough = most / about
    power = 10.0 ** math.floor(math.log10(rough))
    step: float = power * next(each for each in (1, 2, 5, 10) if each * power >= rough * (1 - 1e-9))
    return [step * number for number in range(int(most / step * (1 + 1e-9)) + 1)]
