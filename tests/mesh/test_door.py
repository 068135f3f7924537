"""The way into a process: which policies a call meets, and what they may be told."""

from __future__ import annotations

import random
from typing import Any

import pytest

from recmesh.mesh.door import Admission, Bounds, door
from recmesh.mesh.endpoints import Surroundings
from recmesh.mesh.gradient import Gradient
from recmesh.mesh.limit import Fixed
from recmesh.rpc import Status, stack
from recmesh.testing import FakeClock
from tests.mesh.kit import FOUND, Log, Outcome, Recorder, Script, never, search


def test_the_way_in_traces_measures_logs_limits_and_bounds() -> None:
    clock, recorder, log = FakeClock(), Recorder(), Log()
    service = Script(FOUND, never())
    bounds = Bounds(usual_seconds=2.0, longest_seconds=30.0, access_log_share=0.0)
    way_in = door(Surroundings(clock, random.Random(1), recorder), log, Admission(limit="fixed", fixed=1), bounds)
    served = stack(*way_in.filters, to=service)
    assert Outcome(served(search(99.0))).result() is FOUND
    hanging = Outcome(served(search()))
    refused = Outcome(served(search()))
    assert recorder.gauges["recmesh_admission_in_flight"].value() == way_in.limit.in_flight == 1
    assert recorder.gauges["recmesh_admission_waiting"].value() == 1
    clock.advance(2.0)
    assert refused.error().status is Status.UNAVAILABLE
    assert hanging.error().status is Status.DEADLINE_EXCEEDED
    assert [call.context.deadline for call in service.calls] == [30.0, 2.0]
    assert sorted(line["code"] for line in log.lines) == ["DEADLINE_EXCEEDED", "UNAVAILABLE"]
    assert all(len(line["trace"]) == 32 for line in log.lines)
    codes = [labels["code"] for _, labels in recorder.observed["rpc_server_call_duration_seconds"]]
    assert sorted(codes) == ["DEADLINE_EXCEEDED", "OK", "UNAVAILABLE"]
    assert recorder.counters["recmesh_admission_refused_total"].counts == {("limit", "CRITICAL"): 1}
    assert not clock.timers


def test_the_limit_is_found_or_fixed() -> None:
    found, fixed = Admission(initial=9, least=8, most=10).size(), Admission(limit="fixed", fixed=3).size()
    assert isinstance(found, Gradient) and found.limit == 9
    assert isinstance(fixed, Fixed) and fixed.limit == 3


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"limit": "none"}, 'limit = "none" is none of gradient, fixed'),
        ({"fixed": 0}, "fixed = 0 is outside 1 to"),
        ({"initial": 300}, "initial = 300 is outside least to most"),
        ({"tolerance": 0.5}, "tolerance = 0.5 is outside 1 to 100"),
        ({"waiting_seconds": -1.0}, "waiting_seconds = -1 is outside"),
        ({"failures_logged_per_second": 0.0}, "failures_logged_per_second = 0 is outside 1 to"),
    ],
)
def test_what_it_is_told_wrongly_is_refused(told: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Admission(**told)
