"""Trace, and W3C's header."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.trace import Trace, from_traceparent, span, to_traceparent, trace_id
from recmesh.rpc import stack
from tests.mesh.kit import FOUND, Outcome, Script, search

PARENT = bytes(range(1, 25)) + b"\1"
HEADER = "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"


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


def test_the_header_of_w3c() -> None:
    assert to_traceparent(PARENT) == HEADER
    assert from_traceparent(HEADER) == PARENT


@given(st.integers())
def test_every_span_survives_the_header(seed: int) -> None:
    trace = span(b"", random.Random(seed))
    assert from_traceparent(to_traceparent(trace)) == trace


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        HEADER.replace("00-", "ff-", 1),
        HEADER + "-more",
        HEADER.replace("0102030405060708090a0b0c0d0e0f10", "0" * 32),
        HEADER.replace("1112131415161718", "0" * 16),
    ],
)
def test_a_header_that_is_none_starts_no_trace(header: str) -> None:
    assert from_traceparent(header) == b""


def test_a_later_version_of_the_header_may_say_more() -> None:
    assert from_traceparent(HEADER.replace("00-", "01-", 1) + "-more") == PARENT
