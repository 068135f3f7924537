"""The comparison of faults: ours runs, rows are merged as they say, and Envoy's configuration names every replica."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks.faults import SCENARIOS, Plan, Row, median, show, turn
from benchmarks.peers.envoy import config

SMALL = Plan(before=0.3, fault=0.5, after=0.1, repeats=1)


@pytest.mark.system
@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each != "rolling restart"])
def test_a_turn_counts_calls_and_leaves_nothing_behind(scenario: str) -> None:
    row = asyncio.run(turn("recmesh", scenario, Path("unused"), SMALL))
    assert (row["contestant"], row["scenario"]) == ("recmesh", scenario)
    assert row["calls"] > 0 and row["failed"] == sum(row["failures"].values())
    json.dumps(row)


def row(**figures: object) -> Row:
    same = {"contestant": "recmesh", "scenario": "kill", "calls": 10, "failed": 0, "failures": {}, "recovery_s": 0.0}
    return same | dict.fromkeys(("p50_ms", "p99_ms", "longest_ms", "p99_before_ms"), 1.0) | figures


def test_failures_of_all_repeats_are_told_and_latencies_in_the_median(capsys: pytest.CaptureFixture[str]) -> None:
    failing = row(p99_ms=9.0, failed=1, failures={"why": 1}, recovery_s=None)
    merged = median([row(p99_ms=1.0), failing, row(p99_ms=3.0, failed=2, failures={"why": 2})])
    assert (merged["calls"], merged["failed"], merged["p99_ms"], merged["recovery_s"]) == (30, 3, 3.0, 0.0)
    show([merged])
    assert "3 x why" in capsys.readouterr().out


def test_what_mostly_never_recovers_is_said_to_never_do() -> None:
    assert median([row(recovery_s=None), row(), row(recovery_s=None)])["recovery_s"] is None


def test_envoy_is_told_of_every_replica_and_of_whole_type_names() -> None:
    told = config("127.0.0.1:1", "127.0.0.1:2", ["127.0.0.1:3", "127.0.0.1:4"])
    (cluster,) = told["static_resources"]["clusters"]
    (group,) = cluster["load_assignment"]["endpoints"]
    ports = [each["endpoint"]["address"]["socket_address"]["port_value"] for each in group["lb_endpoints"]]
    assert ports == [3, 4]
    kinds = [part.split('"')[0] for part in json.dumps(told).split('"@type": "')[1:]]
    assert len(kinds) == 4 and all(each.startswith("type.googleapis.com/envoy.") for each in kinds)
