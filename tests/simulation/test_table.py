"""What is counted, and how it is shown."""

from __future__ import annotations

import dataclasses
import math
from xml.etree import ElementTree

import pytest

from recmesh.rpc import Status
from tests.simulation import scenarios
from tests.simulation.plot import Line, Panel, Span, svg, ticks
from tests.simulation.process import Work
from tests.simulation.record import Record, percentiles
from tests.simulation.scenarios import play
from tests.simulation.table import HEAD, Row, complaints, markdown, plot_of, row_of
from tests.simulation.world import Size


def record_of(*seconds: tuple[int, int]) -> Record:
    """From the calls and the failures among them of each second."""
    record = Record()
    for second, (calls, failed) in enumerate(seconds):
        for number in range(calls):
            record.began(second + 0.5)
            if number < failed:
                record.failed(second + 0.5, Status.UNAVAILABLE, 1.0)
            else:
                record.answered(second + 0.5, 0.1)
    return record


@pytest.mark.parametrize(
    ("seconds", "recovery"),
    [
        ([(10, 10), (10, 0), (10, 0)], 0.0),
        ([(10, 10), (10, 2), (10, 0)], 1.0),
        ([(10, 10), (10, 0), (10, 2)], 2.0),  # a relapse
        ([(10, 10), (10, 1), (10, 1)], 0.0),
    ],
)
def test_recovery_ends_with_the_last_second_that_was_bad(seconds: list[tuple[int, int]], recovery: float) -> None:
    assert record_of(*seconds).recovery(fault_ends=1.0, until=3.0) == recovery


def test_percentiles_are_values_that_were_seen() -> None:
    record = Record()
    for number in range(100, 0, -1):
        record.began(0.0)
        record.answered(0.0, number / 1000)
    assert percentiles(record.between(0, 1), 0.5, 0.99, 0.999) == (0.05, 0.099, 0.1)
    assert all(map(math.isnan, percentiles(record.between(1, 2), 0.5, 0.99)))


@pytest.mark.parametrize(
    ("most", "expected"),
    [(10, [0, 2, 4, 6, 8, 10]), (0.7, [0, 0.2, 0.4, 0.6]), (60, [0, 20, 40, 60]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1.0])],
)
def test_ticks_are_round(most: float, expected: list[float]) -> None:
    assert ticks(most) == pytest.approx(expected)


def test_a_plot_is_xml_with_gaps_where_nothing_is_known() -> None:
    p99 = Line("p99", [(0, 1.0), (1, 2.0), (2, math.nan), (3, 3.0)], "red")
    drawn = svg("a < b", [Panel("ms", [p99])], [Span("fault", 0.5, 1.5), Span("another", 2.0, 2.5)])
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "p99", "fault", "another"} <= set(texts)
    (line,) = (path for each in root.iter("{http://www.w3.org/2000/svg}path") if "L" in (path := each.get("d", "")))
    assert line.count("M") == 2


def test_a_row_holds_what_happened_and_is_as_wide_as_its_head() -> None:
    played = play(scenarios.COLD_RESTART, Size(4, 2, work=Work(0.02)))
    row = row_of(played)
    calls = sum(each.calls for each in played.world.record.seconds.values())
    assert (row.calls, row.failed) == (calls, sum(played.world.record.failures.values()))
    assert row.goodput_per_s == 0 and math.isnan(row.p50_ms)
    assert {len(line) for line in str(row).splitlines()} == {len(HEAD.splitlines()[0])}
    assert plot_of(played).count("<path") > 6
    head, _, line = markdown([row]).splitlines()
    assert head.count("|") == line.count("|") and f"| cold restart of all | {calls:,} |" in line


def row(**fields: float) -> Row:
    usual = dict.fromkeys((each.name for each in dataclasses.fields(Row)), 1.0) | {"scenario": "fault"}
    return Row(**usual | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"recovery_s": 6.0}, "fault: not well within 5 s of the fault's end, but 6 s"),
        ({"amplification": 1.3}, "fault: 1.30 attempts a call, over 1.2"),
        (
            {"capacity_per_s": 100.0, "offered_per_s": 200.0, "goodput_per_s": 89.0},
            "fault: 89 answers a second, of 100 possible",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_told(fields: dict[str, float], complaint: str) -> None:
    assert complaints(row(**fields)) == [complaint]
    assert complaints(row()) == []
