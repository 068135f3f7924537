"""The session byte by byte: the handshake, the rules for the connection, and what a hostile peer cannot do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmesh.rpc import Processed, RpcError, Status, frames
from recmesh.rpc.frames import HEADER, MAX_CALL_ID, MORE, PREFACE, Limits, encode
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import Broken, CallReceived, Event, GoingAway, Ponged, Reply, StatusReceived
from recmesh.rpc.session.memory import Pool
from recmesh.rpc.session.receiver import PARTIAL_MESSAGES
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import (
    call_frame,
    cancel_frame,
    frames_of,
    goaway_frame,
    greeting,
    hello_frame,
    message_frame,
    ping_frame,
    state_frame,
    status_frame,
)
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.sessions import END, OK, client, only_status, server, why_broken

# The handshake.


def test_each_end_opens_with_hello_and_the_client_with_the_preface_before_it() -> None:
    said = ClientSession(frames.DEFAULTS, "me").hello()
    assert said.startswith(bytes.fromhex("89524d570d0a1a0a"))
    for data in (said, ServerSession(frames.DEFAULTS, "me").hello()):
        ((kind, _, call_id, meta, payload),) = frames_of(data)
        hello = wire.Hello.FromString(meta)
        assert (kind, call_id, payload, hello.version_min, hello.version_max) == (frames.HELLO, 0, b"", 1, 1)
        assert (hello.max_frame, hello.max_message, hello.max_concurrent_calls) == (1 << 20, 4 << 20, 1024)
        assert (hello.call_window, hello.connection_window, hello.node_id) == (256 << 10, 4 << 20, "me")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (PREFACE[:7] + b"!", "the first bytes are not the preface of this protocol"),
        (PREFACE + call_frame(1, "/a/B"), "a frame of type 0x02 before HELLO"),
        (greeting() + hello_frame(), "a second HELLO"),
        (PREFACE + encode(frames.HELLO, 1), "call id 1 in a frame that concerns the connection; it takes 0"),
        (PREFACE + hello_frame(version_min=2, version_max=3), "versions 2 to 3 are offered, 1 is spoken here"),
        (PREFACE + encode(frames.HELLO), "versions 0 to 0 are offered, 1 is spoken here"),
        (greeting(max_frame=8_191), "max_frame is 8191, too little for 8192 bytes of metadata"),
        (PREFACE + encode(frames.HELLO, meta=b"\xff"), "malformed metadata: no Hello"),
    ],
)
def test_a_handshake_gone_wrong_ends_the_connection(data: bytes, reason: str) -> None:
    session = ServerSession(frames.DEFAULTS)
    assert why_broken(session.receive(data, 0.0)) == reason
    assert session.broken and session.receive(call_frame(1, "/a/B"), 0.0) == []


def test_calls_may_follow_the_clients_hello_before_the_servers_came() -> None:
    session = ClientSession(frames.DEFAULTS)
    call_id, data = session.call(b"", b"x" * (frames.DEFAULT_MAX_FRAME + 1))
    data += session.pull(1)
    assert call_id == 1
    assert [(kind, len(payload)) for kind, _, _, _, payload in frames_of(data)] == [
        (frames.CALL, frames.DEFAULT_MAX_FRAME),
        (frames.MESSAGE, 1),
    ]


def test_the_servers_limits_hold_from_its_hello_on() -> None:
    session = client(max_message=10, max_concurrent_calls=1)
    with pytest.raises(RpcError, match="over the 10 bytes that the server accepts") as caught:
        session.call(b"", b"x" * 11)
    assert (caught.value.status, caught.value.processed) == (Status.RESOURCE_EXHAUSTED, Processed.NOT_SENT)
    session.call(b"", b"x" * 10)
    with pytest.raises(RpcError, match="1 calls are open on this connection, as many as it takes") as caught:
        session.call(b"", b"")
    assert (caught.value.status, caught.value.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)


def test_metadata_over_the_limit_is_not_sent() -> None:
    with pytest.raises(RpcError, match="metadata is over 8192 bytes"):
        client().call(b"x" * 8_193, b"")


# Ids.


@pytest.mark.parametrize("ids", [[2], [0], [1, 1], [3, 1], [2**31 + 1]])
def test_ids_that_are_even_reused_decreasing_or_too_large_end_the_connection(ids: list[int]) -> None:
    events = server().receive(b"".join(call_frame(call_id, "/a/B") for call_id in ids), 0.0)
    assert f"a CALL of id {ids[-1]} after" in why_broken(events)


@pytest.mark.parametrize("frame", [message_frame(3, b""), cancel_frame(3), message_frame(2, b""), cancel_frame(2)])
def test_a_frame_for_a_call_that_was_never_opened_ends_the_connection(frame: bytes) -> None:
    session = server()
    session.receive(call_frame(1, "/a/B"), 0.0)
    assert "which was never opened" in why_broken(session.receive(frame, 0.0))


@pytest.mark.parametrize("frame", [status_frame(3), status_frame(2), message_frame(3, b""), cancel_frame(5)])
def test_an_answer_to_a_call_that_was_never_opened_ends_the_connection(frame: bytes) -> None:
    assert "which was never opened" in why_broken(client(calls=1).receive(frame, 0.0))


@pytest.mark.parametrize("frame", [status_frame(1), call_frame(1, "/a/B")])
def test_frames_of_the_other_role_end_the_connection(frame: bytes) -> None:
    session: Session = server() if frame[4] == frames.STATUS else client()
    assert "a frame of unknown type" in why_broken(session.receive(frame, 0.0))


def test_the_last_id_is_the_last_call_of_a_connection() -> None:
    session = client()
    session._next_id = MAX_CALL_ID  # two billion calls in the past
    assert session.call(b"", b"")[0] == MAX_CALL_ID
    assert not session.takes_calls
    with pytest.raises(RpcError, match="takes no more calls"):
        session.call(b"", b"")


# PING, GOAWAY, WINDOW, extension.


def test_a_ping_comes_back_with_its_bytes() -> None:
    (reply,) = server().receive(ping_frame(b"abcdefgh"), 0.0)
    assert reply == Reply(ping_frame(b"abcdefgh", ack=True))
    assert server().receive(ping_frame(b"abcdefgh", ack=True), 0.0) == [Ponged(b"abcdefgh")]


def test_the_third_ping_too_close_to_the_one_before_ends_the_connection() -> None:
    session = server()
    for now in (0.0, 4.0, 10.0, 14.9):  # two strikes
        assert isinstance(session.receive(ping_frame(), now)[0], Reply)
    events = session.receive(ping_frame(), 15.0)
    assert why_broken(events) == "too_many_pings"
    assert isinstance(events[-1], Broken) and events[-1].error.code == Status.RESOURCE_EXHAUSTED


def test_pings_with_a_call_between_are_no_strikes() -> None:
    session = server()
    for call_id in range(1, 21, 2):
        session.receive(ping_frame() + call_frame(call_id, "/a/B"), 0.0)
        session.status(call_id, OK)
    assert not session.broken


@pytest.mark.parametrize("frame", [encode(frames.PING, payload=b"short"), encode(frames.WINDOW, payload=b"12345")])
def test_a_ping_or_window_of_the_wrong_length_ends_the_connection(frame: bytes) -> None:
    assert "it takes" in why_broken(server().receive(frame, 0.0))


def test_goaway_refuses_the_calls_above_its_last_id() -> None:
    session = client(calls=3)
    (going,) = session.receive(goaway_frame(1, reason="drain"), 0.0)
    assert going == GoingAway(0, "drain", (3, 5))
    assert not session.takes_calls
    assert isinstance(session.receive(status_frame(1), 0.0)[0], StatusReceived)
    assert session.receive(status_frame(3), 0.0) == []


def test_a_drain_takes_what_was_on_its_way_and_refuses_what_came_after() -> None:
    session = server()
    assert (
        frames_of(session.drain(500))[0][3]
        == wire.GoAway(last_call_id=MAX_CALL_ID, reason="drain", drain_ms=500).SerializeToString()
    )
    assert isinstance(session.receive(call_frame(7, "/a/B"), 0.0)[0], CallReceived)
    last = wire.GoAway.FromString(frames_of(session.refuse_later_calls(500))[0][3])
    assert last.last_call_id == 7
    (refused,) = session.receive(call_frame(9, "/a/B"), 0.0)
    call_id, status = only_status(refused)
    assert (call_id, status.code, status.processed) == (9, Status.UNAVAILABLE, wire.REFUSED)


def test_consumed_payload_earns_credit_at_half_a_default_window() -> None:
    session = server(Limits(call_window=frames.CEILING_MAX_FRAME))
    size = frames.CEILING_MAX_FRAME - 100
    calls = [call_frame(call_id, "/a/B", b"x" * size) for call_id in (1, 3)]
    assert not [event for event in session.receive(calls[0], 0.0) if isinstance(event, Reply)]
    session.status(1, OK)
    events = session.receive(calls[1] + call_frame(5, "/a/B", b"x" * 200), 0.0)
    (credit,) = [event for event in events if isinstance(event, Reply)]
    assert credit.data == encode(frames.WINDOW, payload=(2 * size + 200).to_bytes(4, "big"))
    assert 2 * size + 200 >= frames.DEFAULT_CONNECTION_WINDOW // 2


def test_credit_from_the_peer_is_taken_on_the_connection_and_on_calls() -> None:
    credit = encode(frames.WINDOW, 0, payload=bytes(4)) + encode(frames.WINDOW, 1, payload=b"\xff" * 4)
    assert client(calls=1).receive(credit, 0.0) == []


def test_later_frames_and_fields_that_may_be_ignored_are() -> None:
    later = encode(0xFF, 12345, b"whatever", b"it is")
    header = wire.CallHeader(method="/a/B").SerializeToString() + b"\xa2\x06\x03new"  # field 100
    (called,) = server().receive(state_frame(True) + later + encode(frames.CALL, 1, header, b"", END | 0x40), 0.0)
    assert isinstance(called, CallReceived) and called.header.method == "/a/B"


@pytest.mark.parametrize(
    "frame",
    [
        encode(frames.CALL, 1, b"\x0a\x06short", b"", END),
        encode(frames.CALL, 1, b"\x0a\x01\xff", b"", END),  # a method that is no UTF-8
        encode(frames.CALL, 1) + encode(frames.CANCEL, 1, b"\xff"),
        encode(frames.GOAWAY, meta=b"\xff"),
    ],
)
def test_malformed_metadata_ends_the_connection(frame: bytes) -> None:
    assert "malformed metadata" in why_broken(server().receive(frame, 0.0))


def test_a_crc_mismatch_ends_the_connection() -> None:
    frame = bytearray(encode(frames.CALL, 1, b"", b"payload", END, crc=True))
    frame[-1] ^= 1
    assert "CRC-32" in why_broken(server().receive(bytes(frame), 0.0))


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_frames_carry_a_crc_when_both_ends_said_so(ours: bool, theirs: bool) -> None:
    _, data = client(Limits(crc=ours), crc=theirs).call(b"", b"")
    assert bool(data[5] & frames.CRC) is (ours and theirs)


# A hostile peer.


def test_unfinished_messages_are_bounded_together_and_not_only_one_by_one() -> None:
    limits = Limits(max_message=100_000, max_concurrent_calls=1_000)
    session, answers = server(limits), list[Event]()
    for call_id in range(1, 200, 2):
        answers += session.receive(call_frame(call_id, "/a/B", b"x" * 60_000, flags=MORE), 0.0)
        assert session.held <= PARTIAL_MESSAGES * limits.max_message
    refused = [event for event in answers if isinstance(event, Reply) and frames_of(event.data)[0][0] == frames.STATUS]
    assert len(refused) == 100 - PARTIAL_MESSAGES * 100_000 // 60_000


def test_a_frame_that_never_ends_is_bounded_by_max_frame() -> None:
    session = server()
    session.receive(HEADER.pack(frames.CEILING_MAX_FRAME, frames.CALL, END, 0, 1, 0), 0.0)
    for _ in range(100):
        session.receive(b"x" * 10_000, 0.0)
    assert session.held <= frames.CEILING_MAX_FRAME + HEADER.size


def test_frames_that_are_not_complete_count_among_what_the_process_holds() -> None:
    pool, data = Pool(150_000), call_frame(1, "/a/B", bytes(200_000))
    sessions = [ServerSession(Limits(), pool=pool) for _ in range(3)]
    for each in sessions:
        each.receive(greeting(), 0.0)
    assert sessions[0].receive(data[:100_000], 0.0) == [] and pool.held == 100_000
    assert sessions[1].receive(data[:60_000], 0.0) == []  # no more than a peer may send that knows no limits
    reason = "more than 150000 bytes of messages wait in this process"
    assert why_broken(sessions[2].receive(data[:100_000], 0.0)) == reason
    for each in sessions:
        each.release()
    assert pool.held == 0


def test_a_frame_that_is_complete_counts_no_more() -> None:
    pool, data = Pool(150_000), call_frame(1, "/a/B", bytes(100_000))
    session = ServerSession(Limits(), pool=pool)
    session.receive(greeting() + data[:90_000], 0.0)
    assert isinstance(session.receive(data[90_000:], 0.0)[-1], CallReceived) and pool.held == 0


def test_empty_pieces_without_end_cost_no_memory() -> None:
    session = server()
    session.receive(call_frame(1, "/a/B", flags=MORE), 0.0)
    session.receive(message_frame(1, b"", MORE) * 10_000, 0.0)
    assert session.held == 0


any_frame = st.builds(
    lambda kind, flags, call_id, meta, payload: encode(kind, call_id, meta, payload, flags & ~frames.CRC),
    st.one_of(st.integers(1, 9), st.integers(0, 255)),
    st.one_of(st.sampled_from([0, END, MORE, END | MORE, frames.ACK]), st.integers(0, 255)),
    st.one_of(st.sampled_from([0, 1, 2, 3, 5, 7, MAX_CALL_ID]), st.integers(0, 2**32 - 1)),
    st.one_of(
        st.just(b""),
        st.binary(max_size=20),
        st.builds(lambda s: wire.CallHeader(method=s).SerializeToString(), st.text(max_size=9)),
    ),
    st.one_of(st.binary(max_size=20), st.integers(0, 70_000).map(bytes)),
)
soup = st.lists(st.one_of(any_frame, any_frame, st.binary(max_size=40), st.just(greeting())), max_size=30)


@given(soup, st.booleans(), st.integers(1, 100_000))
@settings(max_examples=300)
def test_frame_soup_never_raises_and_never_fills_the_memory(bits: list[bytes], serving: bool, cut: int) -> None:
    limits = Limits(max_frame=frames.DEFAULT_MAX_FRAME, max_message=100_000, max_concurrent_calls=5)
    session: Session = server(limits) if serving else client(limits, calls=4)
    data, bound = b"".join(bits), limits.max_frame + HEADER.size + PARTIAL_MESSAGES * limits.max_message
    for start in range(0, len(data), cut):
        events = session.receive(data[start : start + cut], 0.0)
        assert session.held <= bound + cut
        if session.broken and events:
            assert why_broken(events)
            assert session.receive(b"more", 0.0) == []
            return
        assert not any(isinstance(event, Broken) for event in events)
