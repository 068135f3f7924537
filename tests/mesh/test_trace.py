"""Trace."""

from __future__ import annotations

import random

import pytest

from recmesh.mesh.trace import Trace, trace_id
from recmesh.rpc import stack
from tests.mesh.kit import FOUND, Outcome, Script, search

PARENT = bytes(range(1, 25)) + b"\1"


def test_a_call_continues_its_callers_trace_in_a_span_of_its_own() -> None:
    service = Script(FOUND, FOUND)
    traced = stack(Trace(random.Random(1)), to=service)
    for _ in range(2):
        Outcome(traced(search(trace=PARENT))).result()
    first, second = (call.context.trace for call in service.calls)
    assert first[:16] == second[:16] == PARENT[:16]
    assert first[24:] == second[24:] == PARENT[24:]
    assert len({PARENT[16:24], first[16:24], second[16:24]}) == 3


@pytest.mark.parametrize("parent", [b"", b"short"])
def test_a_trace_begins_where_there_is_none(parent: bytes) -> None:
    service = Script(FOUND)
    Outcome(stack(Trace(random.Random(1)), to=service)(search(trace=parent))).result()
    trace = service.calls[0].context.trace
    assert len(trace) == 25 and trace[24] == 0
    assert len(trace_id(trace)) == 32
