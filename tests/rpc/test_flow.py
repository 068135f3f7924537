"""Credit, as a peer counts it that ends whatever overruns its windows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmesh.rpc import Processed, RpcError, Status, frames
from recmesh.rpc.frames import MORE, encode
from recmesh.rpc.session import flow
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import CallReceived, Reply
from recmesh.rpc.session.memory import Pool
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import Wire, call_frame, cancel_frame, frames_of, greeting, hello_frame, ping_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import PATH, SERVING, Health, statuses
from tests.rpc.sessions import OK, client, server

EVERYTHING = 1 << 40
DATA = (frames.CALL, frames.MESSAGE, frames.STATUS)


def window(credit: int, call_id: int = 0) -> bytes:
    return encode(frames.WINDOW, call_id, payload=credit.to_bytes(4, "big"))


def said(session: Session, data: bytes) -> bytes:
    """What a session says to `data`, at once and when it may."""
    replies = b"".join(event.data for event in session.receive(data, 0.0) if isinstance(event, Reply))
    return replies + session.pull(EVERYTHING)


class Books:
    """What a peer may be sent, and what it was: reading fails at an overrun, and at an id that does not increase."""

    def __init__(self, call_window: int, connection_window: int) -> None:
        self.left = connection_window
        self.calls: dict[int, int] = defaultdict(lambda: call_window)
        self.messages: dict[int, bytes] = defaultdict(bytes)
        self.opened: list[int] = []
        self.ended: dict[int, wire.CallStatus] = {}

    def read(self, data: bytes) -> None:
        for kind, flags, call_id, meta, payload in frames_of(data):
            if kind not in DATA:
                continue
            if kind == frames.CALL:
                assert not self.opened or call_id > self.opened[-1]
                self.opened.append(call_id)
            assert call_id not in self.ended
            self.left -= len(payload)
            self.calls[call_id] -= len(payload)
            assert not payload or (self.left >= 0 and self.calls[call_id] >= 0)
            self.messages[call_id] += payload
            if not flags & MORE:
                self.ended[call_id] = wire.CallStatus.FromString(meta) if kind == frames.STATUS else OK

    def credit(self, credit: int, call_id: int = 0) -> bytes:
        if call_id:
            self.calls[call_id] += credit
        else:
            self.left += credit
        return window(credit, call_id)


SIZES = st.lists(st.integers(0, 200_000), min_size=1, max_size=6)
CREDITS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 100_000)), max_size=20)


@given(SIZES, CREDITS, st.integers(1, 100_000), st.integers(1, 300_000), st.sampled_from((8_192, 65_536, 1 << 20)))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("serving", [False, True])
def test_no_peer_is_sent_more_than_its_windows_and_each_message_arrives(
    serving: bool, sizes: list[int], grants: list[tuple[int, int]], per_call: int, in_all: int, max_frame: int
) -> None:
    hello: dict[str, Any] = {"call_window": per_call, "connection_window": in_all, "max_frame": max_frame}
    books, caller, answerer = Books(per_call, in_all), client(**hello), server(**hello)
    messages = {2 * place + 1: bytes([place + 1]) * size for place, size in enumerate(sizes)}
    for call_id, message in messages.items():
        if serving:
            answerer.receive(call_frame(call_id, "/a/B"), 0.0)
            books.read(answerer.status(call_id, wire.CallStatus(message="m" * 900), message))
        else:
            books.read(caller.call(b"", message)[1])
    session: Session = answerer if serving else caller
    books.read(session.pull(EVERYTHING))
    for place, credit in grants:
        call_id = 2 * place - 1 if 0 < place <= len(sizes) else 0
        books.read(said(session, books.credit(credit, max(0, call_id))))
    books.read(said(session, books.credit(1 << 21)))
    for call_id in messages:
        books.read(said(session, books.credit(1 << 20, call_id)))
    assert books.ended.keys() == messages.keys()
    assert dict(books.messages) == messages
    assert not answerer.busy


# Around HELLO.


def test_what_is_sent_before_hello_counts_against_its_windows() -> None:
    session, books = ClientSession(frames.DEFAULTS), Books(300_000, 400_000)
    books.read(session.call(b"", b"x" * 350_000)[1] + session.pull(EVERYTHING))
    assert len(books.messages[1]) == frames.DEFAULT_CALL_WINDOW
    books.read(said(session, hello_frame(call_window=300_000, connection_window=400_000)))
    assert len(books.messages[1]) == 300_000
    books.read(session.call(b"", b"y" * 200_000)[1] + session.pull(EVERYTHING))
    assert len(books.messages[3]) == 100_000


def test_a_hello_with_smaller_windows_leaves_room_for_calls_without_a_message() -> None:
    session = ClientSession(frames.DEFAULTS)
    session.call(b"", b"x" * 200_000)
    session.receive(hello_frame(call_window=1, connection_window=1), 0.0)
    assert [frame[0] for frame in frames_of(session.call(b"", b"")[1])] == [frames.CALL]
    ((kind, flags, call_id, _, payload),) = frames_of(session.call(b"", b"y")[1])
    assert (kind, flags, call_id, payload) == (frames.CALL, MORE, 5, b"")
    ((kind, flags, call_id, _, payload),) = frames_of(said(session, window(200_000)))
    assert (kind, flags, call_id, payload) == (frames.MESSAGE, frames.END_STREAM, 5, b"y")


# The end of a call whose message waits.


def test_nothing_more_is_sent_of_a_call_that_has_ended() -> None:
    cancelled, answered = client(connection_window=10), client(connection_window=10)
    for caller in (cancelled, answered):
        caller.call(b"", b"x" * 100)
    cancelled.cancel(1, wire.Cancel.CALLER)
    answered.receive(status_frame(1, Status.RESOURCE_EXHAUSTED), 0.0)
    for caller in (cancelled, answered):
        assert said(caller, window(1_000) + window(1_000, 1)) == b""
    answerer = server(connection_window=10)
    answerer.receive(call_frame(1, "/a/B"), 0.0)
    answerer.status(1, OK, b"x" * 100)
    answerer.pull(EVERYTHING)
    assert answerer.busy
    assert said(answerer, cancel_frame(1) + window(1_000)) == b"" and not answerer.busy


def test_an_answer_that_waits_keeps_the_slot_of_its_call() -> None:
    session = server(frames.Limits(max_concurrent_calls=1), call_window=10)
    session.receive(call_frame(1, "/a/B"), 0.0)
    session.status(1, OK, b"x" * 100)
    piece, (_, _, _, meta, _) = frames_of(session.pull(EVERYTHING) + said(session, call_frame(3, "/a/B")))
    assert len(piece[4]) == 10
    assert wire.CallStatus.FromString(meta).code == Status.UNAVAILABLE
    said(session, window(90, 1))
    assert any(isinstance(event, CallReceived) for event in session.receive(call_frame(5, "/a/B"), 0.0))


def test_credit_may_come_before_the_answer_it_is_for() -> None:
    session = server(call_window=10)
    session.receive(call_frame(1, "/a/B", b"re", flags=MORE) + window(50, 1), 0.0)
    session.receive(encode(frames.MESSAGE, 1, flags=frames.END_STREAM) + window(40, 1), 0.0)
    assert (
        sum(len(frame[4]) for frame in frames_of(session.status(1, OK, b"x" * 100) + session.pull(EVERYTHING))) == 100
    )


def test_credit_for_a_call_that_was_never_opened_ends_the_connection() -> None:
    for session in (client(calls=1), server()):
        session.receive(window(1, 3), 0.0)
        assert session.broken


# A peer that gives none.


def test_what_waits_is_bounded_and_small_messages_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MOST_HELD", 1_000_000)
    caller, answerer = client(call_window=1_000), server(call_window=1_000)
    for _ in range(2):
        caller.call(b"", b"x" * 600_000)
    with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: too many requests wait") as caught:
        caller.call(b"", b"x" * 600_000)
    assert caught.value.processed == Processed.NOT_SENT
    assert caller.call(b"", b"small")[0] == 5
    for call_id in (1, 3, 5, 7):
        answerer.receive(call_frame(call_id, "/a/B"), 0.0)
    codes = []
    for call_id, size in ((1, 600_000), (3, 600_000), (5, 600_000), (7, 5)):
        for kind, _, _, meta, _ in frames_of(answerer.status(call_id, OK, b"x" * size)):
            codes += [wire.CallStatus.FromString(meta).code] if kind == frames.STATUS else []
    assert codes == [Status.RESOURCE_EXHAUSTED, Status.OK]


def greeted(**header: Any) -> Wire:
    """A server that took a call and owes its answer to a peer with one byte of credit."""
    line = Wire(Health().handlers())
    line.server.data_received(greeting(call_window=1) + call_frame(1, PATH, **header))
    return line


def test_an_answer_that_waits_ends_at_the_deadline_of_its_call() -> None:
    line = greeted(timeout_us=2_000_000)
    assert not statuses(line)
    line.clock.advance(1.9)
    assert not statuses(line)
    line.clock.advance(0.2)
    (status,) = statuses(line)
    assert (status.code, status.processed) == (Status.DEADLINE_EXCEEDED, wire.YES)
    assert not line.server._calls.busy


def test_a_drain_waits_for_an_answer_that_waits() -> None:
    line = greeted()
    line.server.drain(20.0)
    line.server.data_received(ping_frame(b"drained?", ack=True))
    assert not line.down.closed
    line.server.data_received(window(100, 1))
    answer = b"".join(frame[4] for frame in frames_of(bytes(line.down.written)) if frame[2] == 1)
    assert answer == SERVING.SerializeToString() and line.down.closed


def test_a_server_that_stops_says_so_in_place_of_an_answer_that_waits() -> None:
    line = greeted()
    line.server.shut()
    assert [(each.code, each.processed) for each in statuses(line)] == [(Status.UNAVAILABLE, wire.YES)]
    assert line.down.closed


# All connections of a process together.


def test_connections_share_a_bound_and_what_they_hold_is_given_back() -> None:
    pool = Pool(700_000)
    lines = [ServerSession(frames.DEFAULTS, pool=pool) for _ in range(3)]
    for each in lines:
        each.receive(greeting(call_window=1) + call_frame(1, "/a/B", b"x" * 200_000, flags=MORE), 0.0)
    assert pool.held == 600_000
    (refusal,) = frames_of(said(lines[0], call_frame(3, "/a/B", b"x" * 200_000, flags=MORE)))
    assert "wait in this process" in wire.CallStatus.FromString(refusal[3]).message
    lines[0].receive(call_frame(5, "/a/B"), 0.0)
    lines[0].status(5, OK, b"x" * 200_000)
    assert pool.held == 600_000 + 200_000 and lines[0]._flow.full and lines[1]._flow.full
    for each in lines:
        each.release()
        each.receive(cancel_frame(1), 0.0)
        each.release()
    assert pool.held == 0
