"""The HTML page of an evaluation: whole, self-contained, safe with any name, and its plots to scale."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from training.beyond import BEYOND
from training.charts import LONGEST, Bar, Point, bars, gains, nice_ticks, points
from training.findings import Cost, Evaluation, Result
from training.metrics import METRICS
from training.page import page
from training.segments import SegmentFigure
from training.significance import Difference

NASTY = 'A<b>&"x"'


def found(models: tuple[str, ...] = ("popularity", NASTY)) -> Evaluation:
    results = [
        Result(model, metric, k, 0.1 * (place + 1), 0.05, 0.3)
        for place, model in enumerate(models)
        for k in (10, 20)
        for metric in (*METRICS, *BEYOND)
    ]
    differences = [Difference(models[-1], other, 0.1, -0.02, 0.2, 0.04) for other in models[:-1]]
    segments = [SegmentFigure("cold items", model, 3, 0.0, 0.0) for model in models]
    costs = [Cost(model, None, 1.0, 100.0) for model in models]
    return Evaluation(NASTY, "temporal", 10, 5, 3, 7, (10, 20), results, differences, segments, costs)


def drawing(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  our own


def test_the_page_is_whole_and_loads_nothing() -> None:
    text = page(found())
    without_doctype = re.sub(r"<!doctype html>|<meta[^>]*>|<style>.*?</style>", "", text, flags=re.S)
    root = ElementTree.fromstring(without_doctype)  # noqa: S314  our own
    assert next(heading.text for heading in root.iter("h2")) == "NDCG@10 of every model"
    assert not re.search(r"https?:|url\(|@import|<script|<link|src=", text)
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_names_are_shown_as_they_are() -> None:
    text = page(found())
    assert "<b>" not in text
    root = ElementTree.fromstring(text[text.index("<h1>") : text.index("</h1>") + 5])  # noqa: S314  our own
    assert root.text == f"{NASTY}: temporal"


def test_one_model_alone_is_a_page_too() -> None:
    assert "against each other model" not in page(found(("popularity",)))


def test_bars_begin_at_zero_and_are_to_scale() -> None:
    root = drawing(bars([Bar("a", 0.1, 0.1, 0.1), Bar("b", 0.2, 0.1, 0.3, marked=True)], "t"))
    first, second = root.findall("rect")
    assert first.get("x") == second.get("x")
    assert float(second.get("width", 0)) == pytest.approx(2 * float(first.get("width", 0)), abs=0.2)
    assert second.get("class") == "bar marked"


def test_a_long_name_is_cut_and_told_in_full() -> None:
    svg = bars([Bar("n" * 300, 0.1, 0.1, 0.1)], "t")
    root = drawing(svg)
    label = root.find("text[@text-anchor='end']")
    assert label is not None and label.text == "n" * (LONGEST - 1) + "…"
    assert "n" * 300 in svg


def test_a_gain_of_nothing_stands_on_the_zero_line() -> None:
    root = drawing(gains([Bar("same", 0.0, -0.1, 0.05)], "t"))
    (zero,) = [line for line in root.findall("line") if line.get("class") == "zero"]
    (dot,) = root.findall("circle")
    assert dot.get("cx") == zero.get("x1")


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.3, 12345.0])
def test_plots_of_any_size_stay_inside(value: float) -> None:
    rows = [Bar("a", value, value, value)]
    for svg in (bars(rows, "t"), gains(rows, "t"), points([Point("a", value, value)] * 3, "x", "y", "t")):
        root = drawing(svg)
        width, height = (float(number) for number in root.get("viewBox", "").split()[2:])
        for shape in root.iter():
            for name, most in (("x", width), ("cx", width), ("x2", width), ("cy", height), ("y2", height)):
                assert -1e-6 <= float(shape.get(name, 0)) <= most


def test_ticks_are_round_and_span_the_values() -> None:
    assert nice_ticks(0, 0.23) == [0, 0.05, 0.1, 0.15, 0.2, 0.25]
    assert nice_ticks(-0.012, 0.03) == [-0.02, -0.01, 0, 0.01, 0.02, 0.03]
    assert nice_ticks(0, 0) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
