"""Line plots as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 220, 70, 40, 50  # of a panel, and around it
COLOURS: Final = ("#1b6ca8", "#2e8b57", "#c0392b", "#8e6bbf")
TICKS: Final = 5  # about, on each axis


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over one axis of time."""

    unit: str
    lines: Mapping[str, Points]


def svg(title: str, panels: Sequence[Panel], shaded: Sequence[tuple[float, float]]) -> str:
    """Panels below each other, over seconds; `shaded` are times of which something is to be seen."""
    end = max((x for panel in panels for line in panel.lines.values() for x, _ in line), default=1.0)
    tall = TOP + len(panels) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{tall}"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (HEIGHT + GAP), end, shaded)
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, top: float, end: float, shaded: Sequence[tuple[float, float]]) -> list[str]:
    most = max((y for line in panel.lines.values() for _, y in line if math.isfinite(y)), default=0.0) or 1.0

    def x(value: float) -> float:
        return round(LEFT + WIDTH * value / end, 1)

    def y(value: float) -> float:
        return round(top + HEIGHT * (1 - value / most), 1)

    parts = [
        f'<rect x="{x(begin)}" y="{top}" width="{x(over) - x(begin):.1f}" height="{HEIGHT}" fill="#f3e3c7"/>'
        for begin, over in shaded
    ]
    parts += [
        f'<text x="{x(tick)}" y="{top + HEIGHT + 16}" text-anchor="middle">{tick:g} s</text>' for tick in ticks(end)
    ]
    for tick in ticks(most):
        parts.append(f'<path d="M{LEFT} {y(tick)}H{LEFT + WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{LEFT}" y="{top - 6}" fill="#555">{escape(panel.unit)}</text>')
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<path d="{_path(line, x, y)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(
            f'<text x="{LEFT + WIDTH - 120 * (len(panel.lines) - number)}" y="{top - 6}" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return parts


def _path(line: Points, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """Broken where there is no value."""
    steps, drawn = [], False
    for at, value in line:
        if math.isfinite(value):
            steps.append(f"{'L' if drawn else 'M'}{x(at)} {y(value)}")
        drawn = math.isfinite(value)
    return "".join(steps)


def ticks(most: float) -> Sequence[float]:
    """Round numbers from 0 up to `most`."""
    rough = most / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(each for each in (1, 2, 5, 10) if each * power >= rough * (1 - 1e-9))
    return [step * number for number in range(int(most / step * (1 + 1e-9)) + 1)]
