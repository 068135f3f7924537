"""AccessLog: how many lines it writes."""

from __future__ import annotations

import random

from recmesh.mesh.access_log import AccessLog
from recmesh.rpc import stack
from recmesh.testing import FakeClock
from tests.mesh.kit import FOUND, LOST, Log, Outcome, Script, search


def test_failures_without_end_write_a_bounded_number_of_lines_and_say_what_they_left_out() -> None:
    clock, log = FakeClock(), Log()
    service = stack(AccessLog(clock, log, random.Random(1), 0.0, most_failures=10), to=Script(*[LOST] * 2_100))
    for _ in range(2_000):
        Outcome(service(search())).error()
        clock.advance(0.001)
    assert 38 <= len(log.lines) <= 41  # two seconds at ten a second, after a burst of twenty
    assert "left_out" not in log.lines[0]
    written = len(log.lines) + sum(line.get("left_out", 0) for line in log.lines)
    assert 2_000 - 100 <= written <= 2_000
    clock.advance(60.0)
    Outcome(service(search())).error()
    assert len(log.lines) + sum(line.get("left_out", 0) for line in log.lines) == 2_001


def test_calls_that_succeed_have_their_share_of_lines_meanwhile() -> None:
    clock, log = FakeClock(), Log()
    service = stack(AccessLog(clock, log, random.Random(1), 1.0, most_failures=1), to=Script(*[LOST] * 5, FOUND, FOUND))
    for _ in range(5):
        Outcome(service(search())).error()
    for _ in range(2):
        Outcome(service(search())).result()
    assert [line["code"] for line in log.lines] == ["UNAVAILABLE", "UNAVAILABLE", "OK", "OK"]
    assert [line.get("left_out", 0) for line in log.lines] == [0, 0, 3, 0]
