"""Windows: what may be sent, and when credit comes back. Only payload of CALL, MESSAGE and STATUS counts."""

from __future__ import annotations

from recmesh.rpc.frames import DEFAULT_CALL_WINDOW, END_STREAM, MAX_WINDOW, MORE
from recmesh.testing import call_frame, cancel_frame, message_frame, status_frame, window_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

HALF = DEFAULT_CALL_WINDOW // 2
ANSWERED = {"origin": "APP", "processed": "YES"}
BIG = 1 << 20


@vector("client")
def a_request_waits_for_credit_of_its_call(at: Vector) -> None:
    """What the window of a call allows leaves with MORE; the rest when credit comes."""
    at.open(call_window=10)
    at.do("call", header={"method": "/a/B"}, payload="78*40")
    at.receive(window_frame(20, 1))
    at.receive(window_frame(10, 1))


@vector("client")
def a_request_waits_for_credit_of_the_connection(at: Vector) -> None:
    """The same for the window of all calls; a call whose message must wait is opened all the same, without payload."""
    at.open(connection_window=10)
    at.do("call", header={"method": "/a/B"}, payload="78*10")
    at.do("call", header={"method": "/a/B"}, payload="79*5")
    at.do("call", header={"method": "/a/B"})
    at.receive(window_frame(5))


@vector("server")
def an_answer_waits_for_credit(at: Vector) -> None:
    """An answer waits in the same way; its call keeps its slot until the last byte has left."""
    at.open(call_window=10)
    at.receive(call_frame(1, "/a/B"))
    at.do("status", call=1, status=ANSWERED, payload="78*40")
    at.receive(window_frame(30, 1))


@vector("server")
def credit_ahead_of_the_answer(at: Vector) -> None:
    """Credit for the answer may come before the answer, and before the request is complete."""
    at.open(call_window=10)
    at.receive(call_frame(1, "/a/B", b"re", flags=MORE), window_frame(20, 1), message_frame(1, b"quest", END_STREAM))
    at.receive(window_frame(10, 1))
    at.do("status", call=1, status=ANSWERED, payload="78*40")


@vector("client")
def a_stream_waits_for_credit(at: Vector) -> None:
    """Messages of a stream wait in their order; an empty one and the end wait behind those that need credit."""
    at.open(call_window=4)
    at.do("call", header={"method": "/a/B", "kind": "CLIENT_STREAM"})
    at.do("message", call=1, payload="010203")
    at.do("message", call=1, payload="040506")
    at.do("message", call=1, payload="")
    at.do("end", call=1)
    at.receive(window_frame(1, 1))
    at.receive(window_frame(1, 1))


@vector("server")
def credit_at_half_a_window(at: Vector) -> None:
    """Messages of a stream give credit when they are dealt with, once half a window is due, at both levels."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(message_frame(1, b"x" * (HALF - 1)), message_frame(1, b"y"), message_frame(1, b"z"))
    at.do("took", call=1, size=HALF - 1)
    at.do("took", call=1, size=1)
    at.do("took", call=1, size=1)


@vector("client")
def credit_at_half_a_window_of_the_client(at: Vector) -> None:
    """The same for replies."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "SERVER_STREAM"})
    at.receive(message_frame(1, b"x" * HALF))
    at.do("took", call=1, size=HALF)


@vector("server")
def credit_for_a_message_that_is_still_arriving(at: Vector) -> None:
    """Bytes of a message that is not complete earn credit when they come: else one over the window never would be."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"x" * HALF, flags=MORE))
    at.receive(message_frame(1, b"x" * HALF, MORE))
    at.receive(message_frame(1, b"x" * HALF, END_STREAM))


@vector("server")
def credit_given_early_is_taken_back(at: Vector) -> None:
    """When such a message of a stream is complete and waits, its bytes count again until it is dealt with."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(message_frame(1, b"x" * HALF, MORE))
    at.receive(message_frame(1, b"x" * HALF), message_frame(1, b"y" * HALF))
    at.do("took", call=1, size=2 * HALF)
    at.do("took", call=1, size=HALF)


@vector("client")
def credit_for_an_answer_that_is_still_arriving(at: Vector) -> None:
    """The same for an answer over the window."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(message_frame(1, b"x" * HALF, MORE))
    at.receive(message_frame(1, b"x" * HALF, MORE))
    at.receive(status_frame(1, payload=b"x" * HALF))


@vector("server", max_message=2 * BIG)
def credit_of_the_connection_for_whole_requests(at: Vector) -> None:
    """A whole request is dealt with when it is there. Half of the connection's window brings its credit back."""
    at.open()
    for call_id in (1, 3, 5, 7, 9, 11, 13):
        at.receive(call_frame(call_id, "/a/B", b"x" * DEFAULT_CALL_WINDOW))
        at.do("status", call=call_id, status=ANSWERED)
    at.receive(call_frame(15, "/a/B", b"x" * DEFAULT_CALL_WINDOW))


@vector("server")
def credit_for_what_is_dropped(at: Vector) -> None:
    """Payload of a call that has ended counts against the connection's window too, and gives its credit back."""
    at.open()
    at.receive(call_frame(1, "/a/B", flags=MORE), cancel_frame(1))
    at.receive(*[message_frame(1, b"x" * BIG, MORE) for _ in range(2)])


@vector("server")
def an_overrun_ends_the_call(at: Vector) -> None:
    """More payload than the window of a call: RESOURCE_EXHAUSTED, and the connection goes on; a second one ends it."""
    at.open()
    for call_id in (1, 3):
        at.receive(call_frame(call_id, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
        at.receive(message_frame(call_id, b"x" * DEFAULT_CALL_WINDOW), message_frame(call_id, b"y"))


@vector("client")
def an_overrun_at_the_client(at: Vector) -> None:
    """The same at the client, which cancels the call."""
    at.open()
    for call_id in (1, 3):
        at.do("call", header={"method": "/a/B", "kind": "SERVER_STREAM"})
        at.receive(message_frame(call_id, b"x" * DEFAULT_CALL_WINDOW), message_frame(call_id, b"y"))


@vector("server")
def an_overrun_of_a_request(at: Vector) -> None:
    """A request over the window in one frame is one too, though no handler has seen it."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"x" * (DEFAULT_CALL_WINDOW + 1)))


@vector("server")
def an_overrun_of_the_connection(at: Vector) -> None:
    """Sixteen streams fill the connection's window of 4 MiB and are not read; the next byte is one too many."""
    at.open()
    for call_id in range(1, 33, 2):
        call = call_frame(call_id, "/a/B", b"x" * DEFAULT_CALL_WINDOW, kind=wire.CLIENT_STREAM, flags=0)
        at.receive(call)
    at.receive(call_frame(33, "/a/B", b"y", kind=wire.CLIENT_STREAM, flags=0))


@vector("client")
def too_much_credit(at: Vector) -> None:
    """A window above 2^31 - 1 ends the connection."""
    at.open(connection_window=MAX_WINDOW)
    at.receive(window_frame(0))
    at.receive(window_frame(1))


@vector("client")
def too_much_credit_for_a_call(at: Vector) -> None:
    """The same for a call."""
    at.open(call_window=1)
    at.do("call", header={"method": "/a/B", "kind": "CLIENT_STREAM"})
    at.receive(window_frame(MAX_WINDOW, 1))


@vector("client")
def nothing_is_sent_of_a_call_that_has_ended(at: Vector) -> None:
    """What waited when the call was cancelled is not sent when credit comes."""
    at.open(call_window=10)
    at.do("call", header={"method": "/a/B"}, payload="78*40")
    at.do("cancel", call=1, why="CALLER")
    at.receive(window_frame(100, 1), window_frame(100))
