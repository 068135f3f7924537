"""Trace: calls made for one request carry one id, as W3C trace context defines it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Service
from recmesh.rpc.headers import TRACE_BYTES

TRACE_ID: Final = slice(0, 16)
FLAGS: Final = slice(24, 25)


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
    if len(parent) != TRACE_BYTES:
        return rng.randbytes(16) + span_id + b"\0"
    return parent[TRACE_ID] + span_id + parent[FLAGS]


def trace_id(trace: bytes) -> str:
    """As logs and other tools write it; empty where there is none."""
    return trace[TRACE_ID].hex()
