"""The session byte by byte: calls, messages in pieces, cancels; the same however the bytes are cut."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmesh.rpc import Status, frames
from recmesh.rpc.frames import MAX_WINDOW as WINDOW
from recmesh.rpc.frames import MORE, Limits, encode
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.events import Broken, CallReceived, Event, GoingAway, Greeted, Reply, StatusReceived, Withdrawn
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import (
    call_frame,
    cancel_frame,
    frames_of,
    goaway_frame,
    greeting,
    message_frame,
    ping_frame,
    status_frame,
)
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.sessions import END, OK, SMALL, client, only_status, server

# The same events however the bytes are cut.

TO_SERVER = b"".join(
    [
        greeting(node_id="c"),
        call_frame(1, "/a/B", b"request", timeout_us=5),
        call_frame(3, "/a/B", b"re", flags=MORE),
        ping_frame(),
        message_frame(3, b"que", MORE),
        call_frame(5, "/a/B", b"x" * 60_000),
        encode(0xC0, 77, b"", b"something later versions say"),
        cancel_frame(5),
        message_frame(3, b"st", END),
        call_frame(11, "/a/B", b"over the limit of three"),
        goaway_frame(0),
        encode(0x40, 1),
        call_frame(13, "/never/Read"),
    ]
)


def hear(session: Session, data: bytes, cuts: list[int]) -> list[Event]:
    events: list[Event] = []
    for cut in cuts:
        events += session.receive(data[:cut], 1.0)
        data = data[cut:]
    return events + session.receive(data, 1.0)


@given(st.lists(st.integers(0, 300), max_size=40))
def test_any_cut_of_a_transcript_gives_the_same_events(cuts: list[int]) -> None:
    whole = hear(ServerSession(SMALL), TO_SERVER, [])
    kinds = [type(event) for event in whole]
    assert kinds == [
        Greeted,
        CallReceived,
        Reply,
        CallReceived,
        Withdrawn,
        CallReceived,
        Reply,
        GoingAway,
        Reply,
        Broken,
    ]
    assert [(e.call_id, e.payload) for e in whole if isinstance(e, CallReceived)][::2] == [
        (1, b"request"),
        (3, b"request"),
    ]
    assert repr(hear(ServerSession(SMALL), TO_SERVER, cuts)) == repr(whole)


def test_one_byte_at_a_time_gives_the_same_events() -> None:
    assert repr(hear(ServerSession(SMALL), TO_SERVER, [1] * len(TO_SERVER))) == repr(
        hear(ServerSession(SMALL), TO_SERVER, [])
    )


# Calls.


def test_a_unary_call_is_one_frame_each_way() -> None:
    ours, theirs = client(), server()
    call_id, data = ours.call(wire.CallHeader(method="/a/B", timeout_us=9).SerializeToString(), b"request")
    (called,) = theirs.receive(data, 5.0)
    assert called == CallReceived(1, wire.CallHeader(method="/a/B", timeout_us=9), b"request", 5.0)
    (answered,) = ours.receive(theirs.status(call_id, wire.CallStatus(queue_us=3), b"response"), 6.0)
    assert answered == StatusReceived(1, wire.CallStatus(queue_us=3), b"response")
    assert not theirs.busy


@given(st.integers(0, 300_000), st.booleans())
@settings(max_examples=25)
def test_a_message_of_any_size_arrives_whole(size: int, crc: bool) -> None:
    limits = Limits(max_frame=frames.DEFAULT_MAX_FRAME, crc=crc)
    hello = {"max_frame": 65_536, "crc": True, "call_window": WINDOW, "connection_window": WINDOW}
    ours, theirs = client(limits, **hello), server(limits, **hello)
    message = random.Random(size).randbytes(size)
    call_id, data = ours.call(b"", message)
    data += ours.pull(size + 1)
    assert all(len(meta) + len(payload) <= 65_536 for _, _, _, meta, payload in frames_of(data))
    events = [event for event in theirs.receive(data, 0.0) if isinstance(event, CallReceived)]
    assert [event.payload for event in events] == [message]
    data = theirs.status(call_id, OK, message) + theirs.pull(size + 1)
    assert all(bool(flags & frames.CRC) == crc for _, flags, _, _, _ in frames_of(data))
    answers = [event for event in ours.receive(data, 0.0) if isinstance(event, StatusReceived)]
    assert [answer.payload for answer in answers] == [message]
    assert ours.held == theirs.held == 0


@pytest.mark.parametrize(
    "request_frames",
    [
        call_frame(1, "/a/B", flags=0) + message_frame(1, b"request", END),
        call_frame(1, "/a/B", b"request", flags=0) + message_frame(1, b"", END),
        call_frame(1, "/a/B", flags=MORE) + message_frame(1, b"request", END),
        call_frame(1, "/a/B", b"req", flags=MORE) + message_frame(1, b"uest") + message_frame(1, b"", END),
    ],
)
def test_other_ways_to_cut_one_request_are_understood(request_frames: bytes) -> None:
    (called,) = server().receive(request_frames, 0.0)
    assert isinstance(called, CallReceived) and called.payload == b"request"


def test_a_response_may_come_before_the_status_that_ends_its_call() -> None:
    (answered,) = client(calls=1).receive(message_frame(1, b"response") + status_frame(1), 0.0)
    assert isinstance(answered, StatusReceived) and answered.payload == b"response"


def test_two_responses_to_a_unary_call_are_an_error_of_that_call_alone() -> None:
    session = client(calls=2)
    first, second = session.receive(message_frame(1, b"a") + status_frame(1, payload=b"b") + status_frame(3), 0.0)
    assert isinstance(first, StatusReceived) and first.status.code == Status.INTERNAL
    assert isinstance(second, StatusReceived) and second.status.code == Status.OK


def test_a_request_over_max_message_is_an_error_of_that_call_alone() -> None:
    session = server(SMALL)
    events = session.receive(call_frame(1, "/a/B", b"x" * 100_001) + call_frame(3, "/a/B"), 0.0)
    call_id, status = only_status(events[0])
    assert (call_id, status.code, status.processed) == (1, Status.RESOURCE_EXHAUSTED, wire.REFUSED)
    assert isinstance(events[1], CallReceived)


def test_pieces_over_max_message_are_refused_when_they_come_and_then_dropped() -> None:
    session = server(SMALL)
    session.receive(call_frame(1, "/a/B", b"x" * 60_000, flags=MORE), 0.0)
    assert session.held == 60_000
    (reply,) = session.receive(message_frame(1, b"x" * 60_000, MORE), 0.0)
    assert only_status(reply)[1].code == Status.RESOURCE_EXHAUSTED
    assert session.receive(message_frame(1, b"x" * 60_000, END), 0.0) == []
    assert session.held == 0 and not session.busy


def test_a_response_over_max_message_ends_the_call_and_cancels_the_rest() -> None:
    session = client(SMALL, calls=1)
    session.receive(message_frame(1, b"x" * 60_000, MORE), 0.0)
    reply, answered = session.receive(message_frame(1, b"x" * 60_000, MORE), 0.0)
    assert isinstance(reply, Reply) and frames_of(reply.data)[0][0] == frames.CANCEL
    assert isinstance(answered, StatusReceived) and answered.status.code == Status.RESOURCE_EXHAUSTED
    assert session.receive(status_frame(1, payload=b"x"), 0.0) == []


def test_a_response_over_what_the_caller_accepts_becomes_an_error() -> None:
    session = server(max_message=10)
    session.receive(call_frame(1, "/a/B"), 0.0)
    ((_, _, _, meta, payload),) = frames_of(session.status(1, OK, b"x" * 11))
    status = wire.CallStatus.FromString(meta)
    assert (status.code, status.processed, payload) == (Status.RESOURCE_EXHAUSTED, wire.YES, b"")


def test_an_empty_status_has_an_empty_response() -> None:
    (answered,) = client(calls=1).receive(status_frame(1), 0.0)
    assert answered == StatusReceived(1, OK, b"")


# Cancel.


def test_a_cancel_that_crosses_the_status_is_no_error() -> None:
    ours, theirs = client(), server()
    call_id, data = ours.call(b"", b"")
    theirs.receive(data, 0.0)
    status, cancel = theirs.status(call_id, OK), ours.cancel(call_id, wire.Cancel.CALLER)
    assert ours.receive(status, 0.0) == []
    assert theirs.receive(cancel, 0.0) == []


def test_a_cancelled_call_keeps_its_slot_until_its_handler_has_ended() -> None:
    session = server(Limits(max_concurrent_calls=1))
    events = session.receive(call_frame(1, "/a/B") + cancel_frame(1, wire.Cancel.SUPERSEDED), 0.0)
    assert events[1] == Withdrawn(1, wire.Cancel.SUPERSEDED)
    (refused,) = session.receive(call_frame(3, "/a/B"), 0.0)
    status = only_status(refused)[1]
    assert (status.code, status.processed) == (Status.UNAVAILABLE, wire.REFUSED)
    assert session.busy and session.status(1, OK) == b"" and not session.busy
    assert isinstance(session.receive(call_frame(5, "/a/B"), 0.0)[0], CallReceived)


def test_a_call_given_up_by_the_server_keeps_its_slot_too() -> None:
    session = server()
    session.receive(call_frame(1, "/a/B"), 0.0)
    assert session.give_up(1, OK) and session.busy
    assert session.give_up(1, OK) == session.status(1, OK) == b""
    assert not session.busy


def test_a_cancel_in_the_middle_of_a_request_drops_what_came_of_it() -> None:
    session = server()
    session.receive(call_frame(1, "/a/B", b"x" * 1_000, flags=MORE), 0.0)
    assert session.receive(cancel_frame(1) + message_frame(1, b"y", END), 0.0) == []
    assert session.held == 0 and not session.busy


def test_the_server_may_cancel_too() -> None:
    session = client(calls=1)
    assert session.receive(cancel_frame(1, wire.Cancel.SHUTDOWN), 0.0) == [Withdrawn(1, wire.Cancel.SHUTDOWN)]
    assert session.receive(status_frame(1), 0.0) == [] and session.cancel(1, wire.Cancel.CALLER) == b""
