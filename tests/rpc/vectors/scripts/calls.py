"""One request, one answer; whole and in pieces."""

from __future__ import annotations

from recmesh.rpc import Status, frames
from recmesh.rpc.frames import DEFAULT_MAX_FRAME, END_STREAM, MORE, encode
from recmesh.testing import call_frame, message_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

ANSWERED = {"origin": "APP", "processed": "YES"}
METADATA = [{"key": "tenant", "text": "films"}, {"key": "token-bin", "binary": "AAEC"}]


@vector("client")
def a_call(at: Vector) -> None:
    """A call that fits is one frame each way; a header with all that it may carry."""
    at.open()
    header = {"method": "/a/B", "timeout_us": "2000000", "criticality": "CRITICAL", "attempt": 1, "hedge": True}
    trace = {"trace": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXAQ==", "tracestate": "a=1"}
    at.do("call", header=header | trace | {"metadata": METADATA}, payload="0801")
    at.receive(status_frame(1, payload=b"\x08\x01", origin=wire.APP, processed=wire.YES, queue_us=3, service_us=9))


@vector("server")
def an_answer(at: Vector) -> None:
    """The other end of it: a status with all that it may carry."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"\x08\x01", timeout_us=2_000_000))
    load = {"utilization": 0.5, "qps": 100.0, "eps": 1.0, "limit": 64, "inflight": 32}
    status = ANSWERED | {"queue_us": 3, "service_us": 9, "load": load, "metadata": METADATA}
    at.do("status", call=1, status=status, payload="0801")


@vector("server")
def an_error(at: Vector) -> None:
    """A status other than OK, with details and a wish about retries."""
    at.open()
    at.receive(call_frame(1, "/a/B"))
    detail = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "no"}
    status = ANSWERED | {"code": 5, "message": "no such item", "details": [detail], "pushback_ms": -1}
    at.do("status", call=1, status=status)


@vector("client")
def an_error_received(at: Vector) -> None:
    """A code that is unknown is handed on as it is; processed that is not given means MAYBE to who retries."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(1, Status.NOT_FOUND, message="no such item", pushback_ms=0), status_frame(3, 99))


@vector("server")
def answers_in_another_order(at: Vector) -> None:
    """Calls are answered in any order."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"one"), call_frame(3, "/a/B", b"two"), call_frame(9, "/a/B", b"three"))
    for call_id in (9, 1, 3):
        at.do("status", call=call_id, status=ANSWERED, payload="")


@vector("client")
def an_empty_answer(at: Vector) -> None:
    """No payload is an empty message, in a call with one answer."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(1))


@vector("client")
def a_large_request(at: Vector) -> None:
    """A message over the peer's max_frame goes in pieces of at most 64 KiB; all but the last have MORE."""
    at.open(max_frame=DEFAULT_MAX_FRAME)
    at.do("call", header={"method": "/a/B"}, payload="78*140000")


@vector("client")
def a_frame_that_its_metadata_makes_too_large(at: Vector) -> None:
    """Metadata counts in a frame: this request of 65,535 bytes needs two."""
    at.open(max_frame=DEFAULT_MAX_FRAME)
    at.do("call", header={"method": "/a/B"}, payload="78*65535")


@vector("client")
def pieces_of_64_kib(at: Vector) -> None:
    """Where a peer takes larger frames, the pieces are no larger: others wait for their turn."""
    at.open(max_frame=1 << 20)
    at.do("call", header={"method": "/a/B"}, payload="78*140000")


@vector("server")
def a_large_answer(at: Vector) -> None:
    """Pieces of an answer are MESSAGEs with MORE; the last is in the STATUS."""
    at.open(max_frame=DEFAULT_MAX_FRAME)
    at.receive(call_frame(1, "/a/B"))
    at.do("status", call=1, status=ANSWERED, payload="78*140000")


@vector("server")
def a_request_in_pieces(at: Vector) -> None:
    """CALL and MESSAGEs with MORE, then one without, with END_STREAM; pieces of different calls alternate."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"re", flags=MORE), call_frame(3, "/a/B", b"oth", flags=MORE))
    at.receive(message_frame(1, b"que", MORE), message_frame(3, b"er", END_STREAM), message_frame(1, b"st", END_STREAM))


@vector("client")
def an_answer_in_pieces(at: Vector) -> None:
    """The pieces of an answer, ended by STATUS."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(message_frame(1, b"re", MORE), message_frame(1, b"ply", MORE))
    at.receive(status_frame(1, payload=b"!"))


@vector("server")
def other_ways_to_cut_a_request(at: Vector) -> None:
    """One request, cut in ways that this sender never uses: each is the same request."""
    at.open()
    at.receive(call_frame(1, "/a/B", flags=0), message_frame(1, b"request", END_STREAM))
    at.receive(call_frame(3, "/a/B", b"request", flags=0), message_frame(3, b"", END_STREAM))
    at.receive(call_frame(5, "/a/B", flags=MORE), message_frame(5, b"request", END_STREAM))
    at.receive(call_frame(7, "/a/B", b"req", flags=MORE), message_frame(7, b"uest"), message_frame(7, b"", END_STREAM))
    at.receive(call_frame(9, "/a/B", flags=MORE), message_frame(9, b"", MORE), message_frame(9, b"request", END_STREAM))


@vector("client")
def an_answer_before_its_status(at: Vector) -> None:
    """The one answer may come as a MESSAGE, with STATUS after it."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(message_frame(1, b"reply"), status_frame(1))


@vector("client")
def an_error_inside_an_answer(at: Vector) -> None:
    """With a code other than 0 there is no answer, whatever came of one."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(message_frame(1, b"half of", MORE), status_frame(1, Status.DEADLINE_EXCEEDED, b"x"))


@vector("server")
def two_requests(at: Vector) -> None:
    """More than one message where there may be one fails the call alone; what follows of it is dropped."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"one", flags=0), message_frame(1, b"two", END_STREAM))
    at.receive(call_frame(3, "/a/B"))


@vector("client")
def two_answers(at: Vector) -> None:
    """The same at the client, which ends the call with the status it makes itself."""
    at.open()
    for _ in range(2):
        at.do("call", header={"method": "/a/B"})
    at.receive(message_frame(1, b"one"), status_frame(1, payload=b"two"), status_frame(3))


@vector("client")
def two_answers_before_the_status(at: Vector) -> None:
    """When it is known before STATUS, the server is told with a CANCEL."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(message_frame(1, b"one"), message_frame(1, b"two"), status_frame(1))


@vector("server")
def the_end_inside_a_message(at: Vector) -> None:
    """END_STREAM and MORE together fail the call."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"req", flags=MORE | END_STREAM))
    at.receive(encode(frames.MESSAGE, 1, payload=b"uest", flags=END_STREAM))
