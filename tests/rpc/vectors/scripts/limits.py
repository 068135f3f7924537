"""What an end does not take, and what it does not send."""

from __future__ import annotations

from recmesh.rpc.frames import DEFAULT_MAX_FRAME, MORE
from recmesh.testing import call_frame, message_frame, ping_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

ANSWERED = {"origin": "APP", "processed": "YES"}


@vector("server", max_message=100)
def a_request_over_max_message(at: Vector) -> None:
    """Refused when it is known, in one frame or in pieces; the connection goes on."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"x" * 100), call_frame(3, "/a/B", b"x" * 101))
    at.receive(call_frame(5, "/a/B", b"x" * 60, flags=MORE), message_frame(5, b"x" * 41, MORE))
    at.receive(message_frame(5, b"x" * 60, MORE))


@vector("server", max_message=100)
def a_request_of_a_stream_over_max_message(at: Vector) -> None:
    """The handler is cancelled, and the status says YES."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(message_frame(1, b"x" * 100), message_frame(1, b"x" * 101))


@vector("client", max_message=100)
def an_answer_over_max_message(at: Vector) -> None:
    """The client makes a status of its own; if more is to come, it cancels the call."""
    at.open()
    for _ in range(3):
        at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(1, payload=b"x" * 100), status_frame(3, payload=b"x" * 101))
    at.receive(message_frame(5, b"x" * 60, MORE), message_frame(5, b"x" * 41, MORE))
    at.receive(status_frame(5, payload=b"x"))


@vector("client")
def a_request_that_the_server_would_not_take(at: Vector) -> None:
    """The server's max_message and the 8,192 bytes of metadata hold before anything is sent."""
    at.open(max_message=100)
    at.do("call", header={"method": "/a/B"}, payload="78*100")
    at.do("call", header={"method": "/a/B"}, payload="78*101")
    at.do("call", header={"method": "/a/B", "tracestate": "x" * 8_190})
    at.do("call", header={"method": "/a/B", "kind": "CLIENT_STREAM"})
    at.do("message", call=3, payload="78*101")


@vector("server")
def an_answer_that_the_client_would_not_take(at: Vector) -> None:
    """A handler's answer over the client's max_message becomes RESOURCE_EXHAUSTED."""
    at.open(max_message=100)
    at.receive(call_frame(1, "/a/B"))
    at.do("status", call=1, status=ANSWERED, payload="78*101")


@vector("server", max_concurrent_calls=1)
def as_many_calls_as_are_served_at_once(at: Vector) -> None:
    """Others are refused; a call that is answered makes room, and so does not one that is only cancelled."""
    at.open()
    at.receive(call_frame(1, "/a/B"), call_frame(3, "/a/B"))
    at.do("status", call=1, status=ANSWERED)
    at.receive(call_frame(5, "/a/B", flags=MORE), call_frame(7, "/a/B"))


@vector("client")
def as_many_calls_as_the_server_takes(at: Vector) -> None:
    """The client does not open more."""
    at.open(max_concurrent_calls=1)
    at.do("call", header={"method": "/a/B"})
    at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(1))
    at.do("call", header={"method": "/a/B"})


@vector("server", max_message=30_000)
def unfinished_messages_together(at: Vector) -> None:
    """Unfinished messages of all calls are bounded to eight times max_message; the call that would pass it fails."""
    at.open()
    at.receive(*[call_frame(call_id, "/a/B", b"x" * 30_000, flags=MORE) for call_id in range(1, 17, 2)])
    at.receive(call_frame(17, "/a/B", b"x", flags=MORE))
    at.receive(call_frame(19, "/a/B", b"whole"))


@vector("server")
def empty_messages_that_wait(at: Vector) -> None:
    """They take no credit, so their number is bounded: 16,384 of a stream that nobody reads; one taken makes room."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(*[message_frame(1, b"")] * 16_384)
    at.do("took", call=1, size=0)
    at.receive(message_frame(1, b""), message_frame(1, b"x"))
    at.receive(message_frame(1, b""))


@vector("server")
def pairs_of_metadata(at: Vector) -> None:
    """A call may have 128; one more is refused, though all fit the 8,192 bytes of metadata."""
    at.open()
    for call_id, pairs in ((1, 128), (3, 129)):
        at.receive(call_frame(call_id, "/a/B", metadata=[wire.Metadata()] * pairs))


@vector("server", process=100)
def messages_of_all_connections(at: Vector) -> None:
    """What all connections of a process hold is bounded too; calls that need nothing of that go on."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"x" * 100, flags=MORE), call_frame(3, "/a/B", b"x", flags=MORE))
    at.receive(call_frame(5, "/a/B", b"x" * 200))


@vector("client")
def requests_that_wait(at: Vector) -> None:
    """More than 64 MiB of requests that wait for credit: no other is taken that would have to wait."""
    at.open(max_message=1 << 27, call_window=1)
    at.do("call", header={"method": "/a/B"}, payload="78*67108866")
    at.do("call", header={"method": "/a/B"}, payload="79*2")
    at.do("call", header={"method": "/a/B"}, payload="7a")


@vector("server")
def answers_that_wait(at: Vector) -> None:
    """The same for answers."""
    at.open(max_message=1 << 27, call_window=1)
    at.receive(call_frame(1, "/a/B"), call_frame(3, "/a/B"))
    at.do("status", call=1, status=ANSWERED, payload="78*67108866")
    at.do("status", call=3, status=ANSWERED, payload="79*2")


@vector("server")
def too_many_pings(at: Vector) -> None:
    """A PING within 5 seconds of the last, without a frame of a call between, is a strike; the third is the end."""
    at.open()
    at.receive(ping_frame(b"1 answer"))
    at.receive(ping_frame(b"strike 1"), at=4.0)
    at.receive(ping_frame(b"2 answer"), at=9.0)
    at.receive(ping_frame(b"strike 2"), at=9.1)
    at.receive(ping_frame(b"strike 3"), at=9.2)


@vector("server")
def pings_between_calls(at: Vector) -> None:
    """A frame of a call forgives the strikes before it."""
    at.open()
    at.receive(*[ping_frame()] * 3, call_frame(1, "/a/B"), *[ping_frame()] * 3)


@vector("server", max_frame=DEFAULT_MAX_FRAME)
def empty_pieces(at: Vector) -> None:
    """Pieces without payload cost nothing, and end nothing."""
    at.open()
    at.receive(call_frame(1, "/a/B", flags=MORE), *[message_frame(1, b"", MORE)] * 3)
