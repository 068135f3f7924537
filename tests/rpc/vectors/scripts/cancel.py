"""CANCEL, before, after and across everything else."""

from __future__ import annotations

from recmesh.rpc.frames import END_STREAM, MORE
from recmesh.testing import call_frame, cancel_frame, message_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

ANSWERED = {"origin": "APP", "processed": "YES"}


@vector("server", max_concurrent_calls=1)
def while_the_handler_runs(at: Vector) -> None:
    """The answer is not sent; the call holds its slot until its handler has ended."""
    at.open()
    at.receive(call_frame(1, "/a/B"))
    at.receive(cancel_frame(1, wire.Cancel.SUPERSEDED))
    at.receive(call_frame(3, "/a/B"))
    at.do("status", call=1, status=ANSWERED, payload="0801")
    at.receive(call_frame(5, "/a/B"))


@vector("server")
def before_the_request_is_complete(at: Vector) -> None:
    """No handler has seen the call, and none does; the rest of the request is dropped."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"re", flags=MORE), cancel_frame(1), message_frame(1, b"quest", END_STREAM))


@vector("server")
def after_the_status(at: Vector) -> None:
    """A CANCEL that crosses the STATUS is no error, nor is a second one."""
    at.open()
    at.receive(call_frame(1, "/a/B"))
    at.do("status", call=1, status=ANSWERED)
    at.receive(cancel_frame(1), cancel_frame(1))


@vector("server")
def in_one_read_with_its_call(at: Vector) -> None:
    """CALL and CANCEL may come together."""
    at.open()
    at.receive(call_frame(1, "/a/B"), cancel_frame(1, wire.Cancel.DEADLINE), call_frame(3, "/a/B"))


@vector("server")
def while_the_answer_waits(at: Vector) -> None:
    """What waits for credit is dropped, and the call is over."""
    at.open(call_window=1)
    at.receive(call_frame(1, "/a/B"))
    at.do("status", call=1, status=ANSWERED, payload="78*40")
    at.receive(cancel_frame(1))


@vector("server")
def in_the_middle_of_streams(at: Vector) -> None:
    """Messages that come after are dropped, and those of the handler are not sent."""
    at.open()
    at.receive(call_frame(1, "/a/B", b"one", kind=wire.BIDI, flags=0), cancel_frame(1), message_frame(1, b"two"))
    at.do("message", call=1, payload="01")
    at.do("status", call=1, status=ANSWERED)


@vector("client")
def by_the_client(at: Vector) -> None:
    """Whatever comes after is dropped in silence: messages, the STATUS, a CANCEL of the server."""
    at.open()
    for why in ("CALLER", "DEADLINE", "SUPERSEDED", "SHUTDOWN"):
        at.do("call", header={"method": "/a/B"})
        at.do("cancel", call=2 * len([step for step in at.steps if step.get("do") == "call"]) - 1, why=why)
    at.receive(message_frame(1, b"late"), status_frame(1), status_frame(3, payload=b"late"), cancel_frame(5))


@vector("client")
def by_the_client_after_the_status(at: Vector) -> None:
    """A call that has ended is not cancelled."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(status_frame(1))
    at.do("cancel", call=1, why="CALLER")


@vector("client")
def of_a_stream_by_the_client(at: Vector) -> None:
    """Nothing more is sent of it, and its late messages are dropped."""
    at.open()
    at.do("call", header={"method": "/a/B", "kind": "BIDI"})
    at.do("message", call=1, payload="01")
    at.do("cancel", call=1, why="CALLER")
    at.do("message", call=1, payload="02")
    at.do("end", call=1)
    at.receive(message_frame(1, b"late"), status_frame(1))


@vector("client")
def by_the_server(at: Vector) -> None:
    """A server may give a call up without a STATUS."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(cancel_frame(1, wire.Cancel.SHUTDOWN), status_frame(1))


@vector("server", max_concurrent_calls=1)
def the_server_answers_before_its_handler_ends(at: Vector) -> None:
    """As at a deadline: the caller has its status, the handler still holds the slot."""
    at.open()
    at.receive(call_frame(1, "/a/B"))
    at.do("give_up", call=1, status={"code": 4, "processed": "YES", "origin": "SERVER"})
    at.receive(call_frame(3, "/a/B"))
    at.do("status", call=1, status=ANSWERED)
    at.receive(call_frame(5, "/a/B"))
