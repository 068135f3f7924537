"""Many messages, from either side."""

from __future__ import annotations

from recmesh.rpc import Status
from recmesh.rpc.frames import DEFAULT_MAX_FRAME, END_STREAM, MORE
from recmesh.testing import call_frame, message_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

ANSWERED = {"origin": "APP", "processed": "YES"}


@vector("client")
def a_client_stream(at: Vector) -> None:
    """The CALL carries no message; each message is a MESSAGE, an empty one too; the end has END_STREAM and nothing."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "CLIENT_STREAM"})
    for payload in ("01", "", "0203"):
        at.do("message", call=1, payload=payload)
    at.do("end", call=1)
    at.receive(status_frame(1, payload=b"reply", origin=wire.APP, processed=wire.YES))


@vector("server")
def a_client_stream_answered(at: Vector) -> None:
    """The other end of it. The handler begins with the CALL."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(message_frame(1, b"\x01"), message_frame(1, b""), message_frame(1, b"\x02\x03"))
    at.receive(message_frame(1, b"", END_STREAM))
    at.do("took", call=1, size=1)
    at.do("took", call=1, size=0)
    at.do("took", call=1, size=2)
    at.do("status", call=1, status=ANSWERED, payload="0801")


@vector("server")
def other_ways_to_send_a_stream(at: Vector) -> None:
    """CALL may carry the first message, the last one the END_STREAM; an END_STREAM without payload is no message."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"first", kind=wire.CLIENT_STREAM, flags=0), message_frame(1, b"last", END_STREAM))
    at.receive(call_frame(3, "/a/B", b"only", kind=wire.BIDI, flags=END_STREAM))
    at.receive(call_frame(5, "/a/B", kind=wire.BIDI, flags=END_STREAM))
    at.receive(call_frame(7, "/a/B", b"in ", kind=wire.CLIENT_STREAM, flags=MORE), message_frame(7, b"pieces"))
    at.receive(message_frame(7, b"last in ", MORE), message_frame(7, b"pieces", END_STREAM))


@vector("client")
def a_server_stream(at: Vector) -> None:
    """The request is that of any call; replies are MESSAGEs; the STATUS of a stream without payload is no reply."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "SERVER_STREAM"}, payload="07")
    at.receive(message_frame(1, b"one"), message_frame(1, b""), message_frame(1, b"th", MORE), message_frame(1, b"ree"))
    at.receive(status_frame(1, origin=wire.APP, processed=wire.YES))


@vector("server")
def a_server_stream_answered(at: Vector) -> None:
    """The other end of it."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"\x07", kind=wire.SERVER_STREAM))
    for payload in ("01", "", "0203"):
        at.do("message", call=1, payload=payload)
    at.do("status", call=1, status=ANSWERED)


@vector("client")
def the_last_reply_in_the_status(at: Vector) -> None:
    """STATUS may carry the last reply of a stream, or its last piece."""
    at.open()
    for _ in range(2):
        at.do("call", header={"method": "/a/B", "kind": "SERVER_STREAM"})
    at.receive(message_frame(1, b"one"), status_frame(1, payload=b"two"))
    at.receive(message_frame(3, b"in ", MORE), status_frame(3, payload=b"pieces"))


@vector("server")
def the_last_reply_sent_in_the_status(at: Vector) -> None:
    """A sender may do so, also when earlier replies have to wait."""
    at.open(max_frame=DEFAULT_MAX_FRAME)
    at.receive(call_frame(1, "/a/B", kind=wire.SERVER_STREAM))
    at.do("message", call=1, payload="78*70000")
    at.do("status", call=1, status=ANSWERED, payload="0203")


@vector("client")
def both_directions(at: Vector) -> None:
    """Messages of a bidi call come and go in any order; either side ends on its own."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "BIDI"})
    at.receive(message_frame(1, b"early"))
    at.do("message", call=1, payload="01")
    at.receive(message_frame(1, b"late"))
    at.do("end", call=1)
    at.receive(message_frame(1, b"after the end"), status_frame(1))


@vector("server")
def both_directions_answered(at: Vector) -> None:
    """The other end of it."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.BIDI, flags=0))
    at.do("message", call=1, payload="01")
    at.receive(message_frame(1, b"one"))
    at.do("message", call=1, payload="02")
    at.receive(message_frame(1, b"", END_STREAM))
    at.do("status", call=1, status=ANSWERED)


@vector("server")
def an_answer_before_the_requests_have_ended(at: Vector) -> None:
    """STATUS ends a call at once; requests that are on their way are dropped."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"one", kind=wire.CLIENT_STREAM, flags=0))
    at.do("status", call=1, status=ANSWERED | {"code": 8, "message": "enough"})
    at.receive(message_frame(1, b"two"), message_frame(1, b"", END_STREAM))


@vector("client")
def an_early_answer(at: Vector) -> None:
    """The other end of it: nothing more of the call is sent."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "CLIENT_STREAM"})
    at.do("message", call=1, payload="01")
    at.receive(status_frame(1, Status.RESOURCE_EXHAUSTED))
    at.do("message", call=1, payload="02")
    at.do("end", call=1)


@vector("client")
def a_stream_that_fails_inside_a_reply(at: Vector) -> None:
    """With a code other than 0, an unfinished reply is dropped."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "SERVER_STREAM"})
    at.receive(message_frame(1, b"whole"), message_frame(1, b"half of", MORE), status_frame(1, Status.UNAVAILABLE))


@vector("server")
def the_end_inside_a_request_of_a_stream(at: Vector) -> None:
    """The handler runs already: so the status says YES."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(message_frame(1, b"x", MORE | END_STREAM))


@vector("server")
def messages_after_the_end(at: Vector) -> None:
    """Whatever follows END_STREAM is dropped."""
    at.open()
    at.receive(call_frame(1, "/a/B", kind=wire.BIDI, flags=END_STREAM))
    at.receive(message_frame(1, b"too late"), message_frame(1, b"", END_STREAM))


@vector("server process")
def each_kind_with_a_handler(at: Vector) -> None:
    """Join, Spell and Echo, byte by byte; messages are google.protobuf.StringValue."""
    at.open()
    at.receive(call_frame(1, "/vectors.Words/Join", kind=wire.CLIENT_STREAM, flags=0))
    at.receive(message_frame(1, b"\x0a\x03one"), message_frame(1, b"\x0a\x03two"), message_frame(1, b"", END_STREAM))
    at.receive(call_frame(3, "/vectors.Words/Spell", b"\x0a\x03abc", kind=wire.SERVER_STREAM))
    at.receive(call_frame(5, "/vectors.Words/Echo", kind=wire.BIDI, flags=0))
    at.receive(message_frame(5, b"\x0a\x02ho"))
    at.receive(message_frame(5, b"", END_STREAM))


@vector("server process")
def a_request_of_a_stream_that_does_not_parse(at: Vector) -> None:
    """The handler runs already: so the status says YES."""
    at.open()
    at.receive(call_frame(1, "/vectors.Words/Join", kind=wire.CLIENT_STREAM, flags=0), message_frame(1, b"\xff"))
