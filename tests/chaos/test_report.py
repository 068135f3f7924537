"""The rows of the table, and what counts as an answer that went without."""

from __future__ import annotations

import pytest

from benchmarks.timeline import Sample, Timeline
from tests.chaos.report import HEAD, Report, stays_whole
from tests.chaos.test_replicas import undecided


def seen(*lost: str, error: str = "") -> Timeline:
    """Four calls of 100 ms before the strike, and four of 200 ms after it, the last of which went without `lost`."""
    samples = [Sample(begin, 0.1) for begin in (0.0, 0.2, 0.4, 0.6)]
    samples += [Sample(begin, 0.2) for begin in (1.0, 2.0, 3.0)]
    return Timeline([*samples, Sample(4.0, 0.2, error, lost)], struck=1.0)


def test_a_row_tells_counts_and_quantiles_under_its_head() -> None:
    report = Report()
    first = report.add("kill", seen("ranking", error="UNAVAILABLE: gone"), "as it should").splitlines()
    second = report.add("stop", seen("quality")).splitlines()
    assert first[0] == HEAD and len(first[1]) == len(HEAD)
    assert first[1].split() == ["kill", "8", "1", "1", "100", "200", "100", "200", "200", "inf", "s"]
    assert [each.strip() for each in first[2:]] == ["without ranking 1", "1 x UNAVAILABLE: gone", "as it should"]
    assert second[0].split() == ["stop", "8", "0", "0", "100", "200", "100", "200", "200", "0", "s"]
    assert report.lines == [first[1], second[0]]


@pytest.mark.parametrize(
    ("lost", "but", "whole"),
    [
        ((), (), True),
        (("quality",), (), True),
        (("quality", "ranking"), (), False),
        (("feedback",), ("feedback",), True),
    ],
)
def test_answers_stay_whole_but_for_two_of_what_another_replica_could_give(
    lost: tuple[str, ...], but: tuple[str, ...], whole: bool
) -> None:
    three = seen(*lost)
    three.samples += 2 * three.samples[-1:]
    assert stays_whole(three, *but) is whole
    assert stays_whole(seen(*lost), *but)


def test_what_answers_lacked_before_is_no_fault() -> None:
    usual = [Sample(begin / 100, 0.001, "", ("ranking",) if begin % 2 else ()) for begin in range(200)]
    assert stays_whole(Timeline(usual, struck=1.0))


@pytest.mark.parametrize(
    ("slower", "goes_on"),
    [((), True), ((1.0,), True), ((9.0,), True), ((1.0, 9.0), True), ((1.0, 1.0), False), ((9.0, 9.0), False)],
)
def test_a_third_round_decides_where_two_disagree(slower: tuple[float, ...], goes_on: bool) -> None:
    assert undecided(slower) is goes_on
