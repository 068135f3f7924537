"""Sessions for the tests to talk to, and what to read from their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recmesh.rpc import frames
from recmesh.rpc.frames import Limits
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import Broken, Event, Reply
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import (
    frames_of,
    greeting,
    hello_frame,
)
from recmesh.wire.v1 import wire_pb2 as wire

END = frames.END_STREAM
OK = wire.CallStatus()
SMALL = Limits(max_message=100_000, max_concurrent_calls=3)


def server(limits: Limits = frames.DEFAULTS, **hello: Any) -> ServerSession:
    """One that has heard HELLO."""
    session = ServerSession(limits)
    session.receive(greeting(**hello), 0.0)
    return session


def client(limits: Limits = frames.DEFAULTS, calls: int = 0, **hello: Any) -> ClientSession:
    """One that has heard HELLO, with `calls` open calls: 1, 3, 5..."""
    session = ClientSession(limits)
    session.receive(hello_frame(**hello), 0.0)
    for _ in range(calls):
        session.call(b"", b"")
    return session


def why_broken(events: Sequence[Event]) -> str:
    """The reason of the GOAWAY that ends `events`."""
    reply, broken = events[-2:]
    assert isinstance(reply, Reply) and isinstance(broken, Broken)
    ((kind, _, call_id, meta, _),) = frames_of(reply.data)
    goaway = wire.GoAway.FromString(meta)
    assert (kind, call_id, goaway.code, goaway.reason) == (frames.GOAWAY, 0, broken.error.code, broken.error.reason)
    return goaway.reason


def only_status(event: Event) -> tuple[int, wire.CallStatus]:
    """The id and the status of a Reply that is one STATUS."""
    assert isinstance(event, Reply)
    ((kind, flags, call_id, meta, _),) = frames_of(event.data)
    assert (kind, flags) == (frames.STATUS, END)
    return call_id, wire.CallStatus.FromString(meta)
