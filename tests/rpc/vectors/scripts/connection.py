"""PING, STATE, GOAWAY and the drain."""

from __future__ import annotations

from recmesh.rpc import Status
from recmesh.rpc.frames import MAX_CALL_ID
from recmesh.testing import call_frame, goaway_frame, ping_frame, state_frame, status_frame
from tests.rpc.vectors.record import Vector, vector

ANSWERED = {"origin": "APP", "processed": "YES"}


@vector("server")
def a_ping(at: Vector) -> None:
    """A PING is answered at once with its 8 bytes and ACK."""
    at.open()
    at.receive(ping_frame(b"8 bytes!"))


@vector("client")
def a_ping_of_ours(at: Vector) -> None:
    """Its answer is one event, and is not answered."""
    at.open()
    at.do("ping", payload="0102030405060708")
    at.receive(ping_frame(bytes(range(1, 9)), ack=True))


@vector("server")
def the_state_of_a_server(at: Vector) -> None:
    """A server says unasked how it is."""
    at.open()
    at.do("state", serving=True)
    at.do("state", serving=False, load={"utilization": 0.5, "qps": 100.0, "limit": 64, "inflight": 32})


@vector("client")
def the_state_received(at: Vector) -> None:
    """The other end of it; the load may be left out."""
    at.open()
    at.receive(state_frame(True))
    at.receive(state_frame(False, utilization=0.5, inflight=32))


@vector("server")
def a_drain(at: Vector) -> None:
    """GOAWAY with the largest id and a PING; calls on their way are taken; GOAWAY with the last one; then refused."""
    at.open()
    at.receive(call_frame(1, "/a/B"))
    at.do("drain", drain_ms=20_000)
    at.do("ping", payload="647261696e65643f")
    at.receive(call_frame(3, "/a/B"), ping_frame(b"drained?", ack=True))
    at.do("refuse_later_calls", drain_ms=20_000)
    at.receive(call_frame(5, "/a/B"))
    at.do("status", call=3, status=ANSWERED)
    at.do("status", call=1, status=ANSWERED)


@vector("client")
def a_drain_seen_by_the_client(at: Vector) -> None:
    """From the first GOAWAY on it opens no calls; those above the last id of the second are as refused at once."""
    at.open()
    for _ in range(3):
        at.do("call", header={"method": "/a/B"})
    at.receive(goaway_frame(MAX_CALL_ID, reason="drain"), ping_frame(b"drained?"))
    at.do("call", header={"method": "/a/B"})
    at.receive(goaway_frame(3, reason="drain"), status_frame(5), status_frame(1), status_frame(3))


@vector("client")
def a_server_that_ends_the_connection(at: Vector) -> None:
    """GOAWAY with a code is the end of a connection that broke the protocol; calls it never saw are told apart."""
    at.open()
    for _ in range(2):
        at.do("call", header={"method": "/a/B"})
    at.receive(goaway_frame(1, Status.INTERNAL, "malformed metadata: no CallHeader"))


@vector("server")
def a_client_that_leaves(at: Vector) -> None:
    """A client says GOAWAY too; its open calls are answered."""
    at.open()
    at.receive(call_frame(1, "/a/B"), goaway_frame(0, reason="the client leaves"))
    at.do("status", call=1, status=ANSWERED)


@vector("client")
def leaving(at: Vector) -> None:
    """The client's own GOAWAY: servers open no calls, so the id says nothing."""
    at.open()
    at.do("goaway", last_call_id=0, reason="the client leaves")


@vector("server process")
def a_drain_of_a_process(at: Vector) -> None:
    """The second GOAWAY comes when the PING is answered; the connection closes when nothing is open."""
    at.open()
    at.receive(call_frame(1, "/vectors.Words/Say", b"\x0a\x04wait"))
    at.do("drain", seconds=20.0)
    at.receive(call_frame(3, "/vectors.Words/Say", b"\x0a\x03new"), ping_frame(b"drained?", ack=True))
    at.receive(call_frame(5, "/vectors.Words/Say", b"\x0a\x03new"))
    at.do("stop")


@vector("server process")
def a_drain_without_an_answer_to_its_ping(at: Vector) -> None:
    """After a second the drain goes on without it."""
    at.open()
    at.do("drain", seconds=20.0)
    at.do("wait", seconds=0.9)
    at.do("wait", seconds=0.2)


@vector("server process")
def a_silent_peer(at: Vector) -> None:
    """20 seconds without a byte bring a PING, 5 more without any the end."""
    at.open()
    at.do("wait", seconds=19.0)
    at.do("wait", seconds=1.1)
    at.receive(ping_frame(b"alive?  ", ack=True))
    at.do("wait", seconds=20.1)
    at.do("wait", seconds=5.1)


@vector("server process")
def a_process_says_how_it_is(at: Vector) -> None:
    """What was announced before HELLO is told after it."""
    at.do("announce", serving=True)
    at.open()
    at.do("announce", serving=False)
