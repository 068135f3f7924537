"""The ids of calls, and frames of calls that were never opened."""

from __future__ import annotations

from recmesh.rpc.frames import MAX_CALL_ID
from recmesh.testing import call_frame, cancel_frame, message_frame, status_frame, window_frame
from tests.rpc.vectors.record import Vector, vector


@vector("server")
def an_even_id(at: Vector) -> None:
    """Calls have odd ids."""
    at.open()
    at.receive(call_frame(2, "/a/B"))


@vector("server")
def an_id_used_twice(at: Vector) -> None:
    """Ids are never used again."""
    at.open()
    at.receive(call_frame(1, "/a/B"), cancel_frame(1))
    at.receive(call_frame(1, "/a/B"))


@vector("server")
def an_id_that_decreases(at: Vector) -> None:
    """Ids increase; some may be left out."""
    at.open()
    at.receive(call_frame(5, "/a/B"))
    at.receive(call_frame(3, "/a/B"))


@vector("server")
def the_largest_id(at: Vector) -> None:
    """Ids are below 2^31."""
    at.open()
    at.receive(call_frame(MAX_CALL_ID, "/a/B"))
    at.receive(call_frame(MAX_CALL_ID + 2, "/a/B"))


@vector("server")
def a_message_to_no_call(at: Vector) -> None:
    """Frames of a call that was never opened end the connection."""
    at.open()
    at.receive(call_frame(1, "/a/B"), message_frame(3, b"x"))


@vector("server")
def a_cancel_of_no_call(at: Vector) -> None:
    """As above."""
    at.open()
    at.receive(cancel_frame(1))


@vector("server")
def credit_for_no_call(at: Vector) -> None:
    """As above; the ids that are even were never opened either."""
    at.open()
    at.receive(call_frame(3, "/a/B"), window_frame(1, 2))


@vector("client")
def a_status_of_no_call(at: Vector) -> None:
    """As above, at the client."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(3))


@vector("client")
def credit_for_no_call_of_the_client(at: Vector) -> None:
    """As above; credit for a call that has ended is of no use, and no error."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(1), window_frame(1, 1))
    at.receive(window_frame(1, 3))
