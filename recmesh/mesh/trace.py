"""Trace: calls made for one request carry one id, as W3C trace context defines it."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Service

TRACE_ID, SPAN_ID = slice(0, 16), slice(16, 24)
FLAGS: Final = 24
LENGTH: Final = 25  # bytes: 16 of trace id, 8 of span id, 1 of flags

TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace:
    """Gives each call a span of its own, in its caller's trace or in one that begins here."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def __call__(self, call: Call, service: Service) -> Message:
        trace = span(call.context.trace, self._rng)
        return await service(replace(call, context=replace(call.context, trace=trace)))


def span(parent: bytes, rng: random.Random) -> bytes:
    """A new span below `parent`; of a new trace where that is none."""
    span_id = rng.randbytes(8)
    if len(parent) != LENGTH:
        return rng.randbytes(16) + span_id + b"\0"
    return parent[TRACE_ID] + span_id + parent[FLAGS:]


def trace_id(trace: bytes) -> str:
    """As logs and other tools write it; empty where there is none."""
    return trace[TRACE_ID].hex()


def to_traceparent(trace: bytes) -> str:
    return f"00-{trace[TRACE_ID].hex()}-{trace[SPAN_ID].hex()}-{trace[FLAGS]:02x}"


def from_traceparent(header: str) -> bytes:
    """Empty for a header that is none: a bad trace must not fail a call."""
    match = TRACEPARENT.fullmatch(header)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return b""
    trace, parent = bytes.fromhex(match[2]), bytes.fromhex(match[3])
    return trace + parent + bytes.fromhex(match[4]) if any(trace) and any(parent) else b""
