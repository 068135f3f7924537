"""How a call ends when the library decides it, at both ends; messages are google.protobuf.StringValue."""

from __future__ import annotations

from recmesh.rpc.frames import END_STREAM, MORE
from recmesh.testing import call_frame, cancel_frame, goaway_frame, message_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

SAY = "/vectors.Words/Say"


def say(call_id: int, word: str, **header: int) -> bytes:
    return call_frame(call_id, SAY, b"\x0a" + bytes([len(word)]) + word.encode(), **header)


@vector("server process")
def answered(at: Vector) -> None:
    """A call and its answer, the times of which are 0 because the clock stands still; then with trailing metadata."""
    at.open()
    at.receive(say(1, "hello"))
    at.receive(say(3, "trailers"))


@vector("server process")
def refused_before_any_handler(at: Vector) -> None:
    """An unknown method, another kind than the method's, kinds that are not known, a request that does not parse."""
    at.open()
    at.receive(call_frame(1, "/vectors.Words/Sing"), call_frame(3, SAY, kind=wire.SERVER_STREAM))
    at.receive(call_frame(5, SAY, kind=4), call_frame(7, SAY, b"\xff"))


@vector("server process")
def failed_in_the_handler(at: Vector) -> None:
    """A status that the handler raised; another exception, whose text stays here; an answer of another type."""
    at.open()
    for call_id, word in ((1, "refuse"), (3, "fail"), (5, "wrong")):
        at.receive(say(call_id, word))


@vector("server process")
def trailers_that_do_not_fit(at: Vector) -> None:
    """Trailing metadata over the 8,192 bytes of a frame is an error, not cut."""
    at.open()
    at.receive(say(1, "many trailers"))


@vector("server process")
def out_of_time_before_the_handler(at: Vector) -> None:
    """Time counts from the first frame: it was up when the request was complete."""
    at.open()
    at.receive(call_frame(1, SAY, b"\x0a\x05", flags=MORE, timeout_us=1_000_000))
    at.do("wait", seconds=1.0)
    at.receive(message_frame(1, b"hello", END_STREAM))


@vector("server process")
def out_of_time_in_the_handler(at: Vector) -> None:
    """The handler is cancelled, and the status comes at the deadline."""
    at.open()
    at.receive(say(1, "wait", timeout_us=1_000_000))
    at.do("wait", seconds=0.9)
    at.do("wait", seconds=0.2)


@vector("server process")
def out_of_time_while_the_answer_waits(at: Vector) -> None:
    """The caller gives no credit: at the deadline the status comes without the rest of the answer."""
    at.open(call_window=10)
    at.receive(say(1, "long", timeout_us=1_000_000))
    at.do("wait", seconds=1.1)


@vector("server process")
def cancelled_by_the_caller(at: Vector) -> None:
    """The handler is cancelled, and nothing is answered."""
    at.open()
    at.receive(say(1, "wait"), cancel_frame(1))


@vector("server process")
def the_server_stops(at: Vector) -> None:
    """Open calls end as UNAVAILABLE, also those whose answer waits."""
    at.open(call_window=10)
    at.receive(say(1, "wait"), say(3, "long"))
    at.do("stop")


@vector("server process")
def the_connection_is_lost(at: Vector) -> None:
    """Its calls are cancelled."""
    at.open()
    at.receive(say(1, "wait"))
    at.do("lose_the_connection")


@vector("client process")
def answered_at_the_client(at: Vector) -> None:
    """A call with a timeout, and its answer."""
    at.do("say", word="hello", timeout=2.0)
    at.open()
    at.receive(status_frame(1, payload=b"\x0a\x05hello", origin=wire.APP, processed=wire.YES))


@vector("client process")
def out_of_time_at_the_client(at: Vector) -> None:
    """Not sent when there is no time left; cancelled at its deadline, when nobody can say how far it came."""
    at.open()
    at.do("say", word="hello", timeout=0.0)
    at.do("say", word="hello", timeout=1.0)
    at.do("wait", seconds=1.1)


@vector("client process")
def lost_at_the_client(at: Vector) -> None:
    """A connection that is lost after the call has left: MAYBE."""
    at.open()
    at.do("say", word="hello")
    at.do("lose_the_connection")


@vector("client process")
def a_reply_that_does_not_parse(at: Vector) -> None:
    """INTERNAL, by the client; a handler ran."""
    at.open()
    at.do("say", word="hello")
    at.receive(status_frame(1, payload=b"\xff", origin=wire.APP, processed=wire.YES))


@vector("client process")
def given_up_by_the_server(at: Vector) -> None:
    """CANCEL of the server."""
    at.open()
    at.do("say", word="hello")
    at.receive(cancel_frame(1, wire.Cancel.SHUTDOWN))


@vector("client process")
def refused_by_goaway(at: Vector) -> None:
    """A call that the server never looked at may be repeated elsewhere; the connection closes when none is open."""
    at.open()
    at.do("say", word="one")
    at.do("say", word="two")
    at.receive(goaway_frame(1, reason="drain"))
    at.receive(status_frame(1, payload=b"\x0a\x03one", origin=wire.APP, processed=wire.YES))


@vector("client process")
def stopped_at_the_client(at: Vector) -> None:
    """Open calls are cancelled, then GOAWAY."""
    at.open()
    at.do("say", word="hello")
    at.do("stop")


@vector("client process")
def no_hello_from_the_server(at: Vector) -> None:
    """A call that was sent before HELLO and was never heard of."""
    at.do("say", word="hello")
    at.do("wait", seconds=3.0)
