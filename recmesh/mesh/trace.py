"""Trace: calls made for one request carry one id, as W3C trace context defines it."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Service
from recmesh.rpc.session.headers import TRACE_BYTES

TRACE_ID: Final = slice(0, 16)
FLAGS: Final = slice(24, 25)


class Trace:
    """Gives each call a span of its own, in its caller's trace or in one that begins here."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __call__(self, call: Call, service: Service) -> Awaitable[Message]:
        context = call.context
        return service(call.within(context.traced(span(context.trace, self._rng))))


def span(parent: bytes, rng: random.Random) -> bytes:
    """A new span below `parent`; of a new trace where that is none."""
    if len(parent) != TRACE_BYTES:
        return rng.getrandbits(192).to_bytes(24, "big") + b"\0"  # both ids in one draw
    return parent[TRACE_ID] + rng.getrandbits(64).to_bytes(8, "big") + parent[FLAGS]


def trace_id(trace: bytes) -> str:
    """As logs and other tools write it; empty where there is none."""
    return trace[TRACE_ID].hex()
