"""The preface, HELLO, and what may come before the peer's."""

from __future__ import annotations

from recmesh.rpc import frames
from recmesh.rpc.frames import PREFACE, encode
from recmesh.testing import call_frame, greeting, hello_frame, window_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector


@vector("server")
def the_server_greets(at: Vector) -> None:
    """The client opens with the preface and HELLO; the server sends HELLO alone."""
    at.open(node_id="a client", build="7")


@vector("client")
def the_client_greets(at: Vector) -> None:
    """The client sends preface and HELLO without waiting."""
    at.open(node_id="a server")


@vector("server")
def hello_without_limits(at: Vector) -> None:
    """Fields that HELLO leaves out have their defaults: an answer of 65,536 bytes, metadata counted, is one frame."""
    at.open()
    at.receive(call_frame(1, "/a/B"), call_frame(3, "/a/B"))
    at.do("status", call=1, status={"origin": "APP"}, payload="78*65534")
    at.do("status", call=3, status={"origin": "APP"}, payload="78*65535")


@vector("server")
def hello_of_a_later_version(at: Vector) -> None:
    """A range of versions that contains 1 is fine; unknown fields of Hello are skipped."""
    hello = wire.Hello(version_min=1, version_max=9).SerializeToString() + b"\xa2\x06\x05later"
    at.receive(PREFACE, encode(frames.HELLO, meta=hello))
    at.receive(call_frame(1, "/a/B"))


@vector("client")
def calls_before_the_servers_hello(at: Vector) -> None:
    """Calls may follow the client's HELLO at once, under the defaults; the server's limits hold from its HELLO on."""
    at.do("hello")
    at.do("call", header={"method": "/a/B"}, payload="78*300000")
    at.receive(hello_frame(call_window=300_000, connection_window=400_000, max_frame=1 << 20))
    at.do("call", header={"method": "/a/B"}, payload="79*200000")


@vector("client")
def hello_with_smaller_windows(at: Vector) -> None:
    """What was sent before HELLO counts: windows may be overdrawn then, and only what has no payload leaves."""
    at.do("hello")
    at.do("call", header={"method": "/a/B"}, payload="78*1000")
    at.receive(hello_frame(call_window=100, connection_window=200))
    at.do("call", header={"method": "/a/B"}, payload="79*10")
    at.do("call", header={"method": "/a/B"})
    at.receive(window_frame(1_000))


@vector("server")
def a_wrong_preface(at: Vector) -> None:
    """Other first bytes end the connection."""
    at.receive(PREFACE[:7] + b"!")


@vector("server")
def a_call_before_hello(at: Vector) -> None:
    """Nothing comes before HELLO."""
    at.receive(PREFACE, call_frame(1, "/a/B"))


@vector("server")
def a_second_hello(at: Vector) -> None:
    """There is one HELLO each way."""
    at.open()
    at.receive(hello_frame())


@vector("server")
def hello_of_a_call(at: Vector) -> None:
    """HELLO has call id 0."""
    at.receive(PREFACE, encode(frames.HELLO, 1))


@vector("server")
def versions_that_are_not_spoken(at: Vector) -> None:
    """A range of versions without 1 ends the connection."""
    at.receive(PREFACE, hello_frame(version_min=2, version_max=3))


@vector("client")
def a_max_frame_that_is_too_small(at: Vector) -> None:
    """max_frame is at least 8,192: metadata must fit a frame."""
    at.do("hello")
    at.receive(hello_frame(max_frame=8_191))


@vector("client")
def malformed_hello(at: Vector) -> None:
    """Metadata that does not parse ends the connection."""
    at.do("hello")
    at.receive(encode(frames.HELLO, meta=b"\xff"))


@vector("server process")
def no_hello_in_time(at: Vector) -> None:
    """HELLO comes within 3 seconds of the connection."""
    at.receive(PREFACE)
    at.do("wait", seconds=2.9)
    at.do("wait", seconds=0.2)


@vector("server process")
def http1_is_told(at: Vector) -> None:
    """An HTTP/1 request gets one readable answer."""
    at.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")


@vector("server process")
def http2_is_closed(at: Vector) -> None:
    """The preface of HTTP/2 over cleartext is closed without a word."""
    at.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@vector("server")
def all_in_one_read(at: Vector) -> None:
    """Preface, HELLO and a call may come in one segment."""
    at.receive(PREFACE, greeting()[len(PREFACE) :], call_frame(1, "/a/B", b"request", timeout_us=2_000_000))
    at.do("hello")
    at.do("status", call=1, status={"origin": "APP", "processed": "YES"}, payload="0801")
