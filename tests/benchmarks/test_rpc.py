"""The comparison of runtimes: every contestant runs, and the floors are read off the right figures."""

from __future__ import annotations

import json

import pytest

from benchmarks.peers import CONTESTANTS
from benchmarks.rpc import Plan, compare
from benchmarks.rpc_report import Report, Row, show

FIGURES = {"calls_per_s", "p50_us", "p99_us", "server_cpu_us", "client_cpu_us"}
SMALL = Plan(
    repeats=1,
    seconds=0.02,
    warm_up=0.0,
    payloads=(100,),
    in_flight=(1, 4),
    large=(1 << 16, 1 << 17),
    stream_bytes=1 << 20,
)


@pytest.mark.system
def test_every_contestant_answers_and_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report = compare(SMALL)
    show(report)
    told = json.loads(json.dumps(report.as_json()))
    assert [(row["contestant"], row["in_flight"]) for row in told["results"]] == [
        (contestant, in_flight) for in_flight in (1, 4) for contestant in CONTESTANTS
    ]
    for row in told["results"]:
        assert set(row) == {"contestant", "payload_bytes", "in_flight", "repeat"} | FIGURES
        assert all(row[name] > 0 for name in FIGURES)
    assert told["machine"]["cores"] > 0
    assert [row["direction"] for row in told["stream"]] == ["down", "up"]
    assert "recmesh" in capsys.readouterr().out


def row(contestant: str, **figures: float) -> Row:
    same = {"contestant": contestant, "payload_bytes": 100, "in_flight": 128, "repeat": 0}
    return same | dict.fromkeys(FIGURES, 10.0) | figures


def test_floors_compare_medians_over_the_repeats() -> None:
    report = Report({})
    for calls, slowest in ((90_000, 50), (50_000, 50), (10_000, 5_000)):
        report.results.append(row("recmesh", calls_per_s=calls, p99_us=slowest))
        report.results.append(row("grpc.aio", calls_per_s=5_000, p99_us=500))
    rate, p99, cpu = report.verdicts()
    assert (rate.figure, rate.holds) == (10, True)
    assert (p99.figure, p99.holds) == (0.1, True)
    assert (cpu.figure, cpu.holds) == (10, True)


def test_a_floor_that_is_missed_is_said_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report({}, [row("recmesh", calls_per_s=9_900), row("grpc.aio", calls_per_s=1_000)])
    show(report)
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILS")]
    assert len(failed) == 2  # as many calls a second, and a p99 that is no better
