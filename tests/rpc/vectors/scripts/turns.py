"""Whose turn it is when several calls have more to send than one frame."""

from __future__ import annotations

from recmesh.rpc.frames import DEFAULT_MAX_FRAME
from recmesh.testing import call_frame, hello_frame, window_frame
from tests.rpc.vectors.record import Vector, vector

ANSWERED = {"origin": "APP", "processed": "YES"}


@vector("client")
def large_messages_take_turns(at: Vector) -> None:
    """Messages that wait take turns, a frame of at most 64 KiB each, whatever larger frames the peer takes."""
    at.do("hello")
    for fill in ("78", "79"):
        at.do("call", header={"method": "/a/B"}, payload=f"{fill}*200000")
    at.receive(hello_frame(max_frame=1 << 20, connection_window=1))
    at.receive(window_frame(4_194_303))


@vector("client")
def a_small_message_passes(at: Vector) -> None:
    """One that fits a frame has a turn of its own among large ones, and a call that needs no turn goes at once."""
    at.open(connection_window=100_000, max_frame=DEFAULT_MAX_FRAME)
    at.do("call", header={"method": "/a/B"}, payload="78*200000")
    at.do("call", header={"method": "/a/B"}, payload="79*5")
    at.do("call", header={"method": "/a/B"})
    at.receive(window_frame(100_005))


@vector("server")
def four_large_messages_at_once(at: Vector) -> None:
    """No more than four messages over 64 KiB are under way; the fifth begins when one of them has ended."""
    at.open(connection_window=1, max_frame=DEFAULT_MAX_FRAME)
    calls = [call_frame(call_id, "/a/B") for call_id in (1, 3, 5, 7, 9)]
    at.receive(*calls)
    for call_id in (1, 3, 5, 7, 9):
        at.do("status", call=call_id, status=ANSWERED, payload=f"{0x70 + call_id:02x}*100000")
    at.receive(window_frame(500_000))


@vector("client")
def a_large_message_that_waits_keeps_its_place(at: Vector) -> None:
    """Four that stand still for want of credit for their calls let no fifth begin; small ones pass."""
    at.open(call_window=65_536, max_frame=DEFAULT_MAX_FRAME)
    for _ in range(5):
        at.do("call", header={"method": "/a/B"}, payload="78*70000")
    at.do("call", header={"method": "/a/B"}, payload="79*5")
    at.receive(window_frame(10_000, 3))
