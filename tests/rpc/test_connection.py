"""A connection from its first byte to its last: handshake, keepalive, drain, other protocols on the port."""

from __future__ import annotations

import pytest

from recmesh.rpc import Processed, RpcError, frames
from recmesh.rpc.frames import MAX_CALL_ID, PREFACE, encode
from recmesh.testing import Wire, begin, call_frame, frames_of, greeting, hello_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import PATH, SERVING, Health, ask, stub


def joined(health: Health | None = None) -> Wire:
    line = Wire((health or Health()).handlers())
    line.move()
    return line


def kinds(data: bytes | bytearray) -> list[int]:
    return [frame[0] for frame in frames_of(bytes(data))]


def goaways(data: bytes | bytearray) -> list[wire.GoAway]:
    return [wire.GoAway.FromString(meta) for kind, _, _, meta, _ in frames_of(bytes(data)) if kind == frames.GOAWAY]


# The handshake.


def test_a_client_that_sends_nothing_is_closed_after_three_seconds() -> None:
    line = Wire(Health().handlers())
    line.clock.advance(2.9)
    assert not line.down.aborted
    line.clock.advance(0.2)
    assert line.down.aborted and not line.down.written


def test_a_client_that_stops_after_the_preface_is_told_and_closed() -> None:
    line = Wire(Health().handlers())
    line.server.data_received(PREFACE)
    line.clock.advance(3.0)
    assert line.down.closed and goaways(line.down.written)[0].reason == "no HELLO within 3 s"


def test_a_server_that_says_nothing_loses_the_client_and_its_calls() -> None:
    line = Wire(Health().handlers())
    asked = begin(stub(line.client).check(ask()))
    line.clock.advance(3.0)
    assert line.up.closed
    line.move()
    with pytest.raises(RpcError, match=r"UNAVAILABLE: the connection was lost: .*no HELLO within 3 s") as caught:
        asked.result()
    assert caught.value.processed == Processed.MAYBE


def test_hello_ends_the_wait() -> None:
    line = joined()
    line.clock.advance(4.0)
    assert not line.up.closed and not line.down.closed and not line.down.aborted


# Other protocols on the port.


@pytest.mark.parametrize("first", [[b"GET / HTTP/1.1\r\n\r\n"], [b"P", b"OST / HTTP/1.1\r\n\r\n"], [b"H"]])
def test_a_browser_is_answered_readably_and_closed(first: list[bytes]) -> None:
    line = Wire(Health().handlers())
    for data in first:
        line.server.data_received(data)
    head, _, body = bytes(line.down.written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: recmesh/1")
    assert f"Content-Length: {len(body)}".encode() in head and b"speaks the recmesh protocol" in body
    assert line.down.closed


@pytest.mark.parametrize("first", [[b"PRI * HTTP/2.0\r\n"], [b"P", b"R"], [b"\x16\x03\x01"], [b"\x00"], [b" "]])
def test_what_a_sentence_does_not_help_is_closed_without_one(first: list[bytes]) -> None:
    line = Wire(Health().handlers())
    for data in first:
        line.server.data_received(data)
    assert line.down.closed and not line.down.written
    line.server.data_received(b"more")
    assert not line.down.written


def test_wrong_magic_after_a_right_first_byte_is_told() -> None:
    line = Wire(Health().handlers())
    line.server.data_received(b"\x89PNG\r\n\x1a\n")
    assert goaways(line.down.written)[0].reason == "the first bytes are not the preface of this protocol"
    assert line.down.closed


# Bytes that no correct peer sends.


def test_a_broken_peer_is_told_closed_and_its_handlers_cancelled() -> None:
    health = Health()
    line = joined(health)
    line.server.data_received(call_frame(1, PATH, ask("wait").SerializeToString()))
    line.server.data_received(b"\xff" * frames.HEADER.size)
    (goaway,) = goaways(line.down.written)
    assert (goaway.last_call_id, goaway.reason) == (1, "a frame of 4294967295 bytes is over the limit of 1048576")
    assert line.down.closed
    line.move()
    assert health.cancelled == 1


def test_calls_on_a_connection_that_the_server_broke_are_lost_before_it_has_closed() -> None:
    line = joined()
    asked = begin(stub(line.client).check(ask("wait")))
    line.client.data_received(encode(0x40))
    with pytest.raises(RpcError, match=r"UNAVAILABLE: the connection was lost: .*unknown type 0x40"):
        asked.result()
    assert not line.client.ended


def test_a_client_told_that_it_broke_the_protocol_says_so_to_its_calls() -> None:
    line = joined(Health())
    asked = begin(stub(line.client).check(ask("wait")))
    line.up.write(encode(0x33))
    line.move()
    with pytest.raises(RpcError, match="the server ended the connection: a frame of unknown type 0x33"):
        asked.result()


# Keepalive.


def test_twenty_silent_seconds_bring_a_ping_and_five_more_the_end() -> None:
    line = joined()
    asked = begin(stub(line.client).check(ask("wait")))
    line.up.take()
    line.clock.advance(19.9)
    assert not line.up.written
    line.clock.advance(0.2)
    assert kinds(line.up.written) == [frames.PING]
    line.clock.advance(4.8)
    assert not line.up.aborted
    line.clock.advance(0.2)
    assert line.up.aborted
    line.move()
    with pytest.raises(RpcError, match="no byte for 25 s, and a PING was not answered"):
        asked.result()


def test_any_byte_is_proof_of_life() -> None:
    line = joined()
    for _ in range(100):
        line.clock.advance(4.9)
        line.client.data_received(encode(0xFE))
    assert not line.up.aborted and kinds(line.up.written) == []


def test_an_idle_connection_lives_on_pings() -> None:
    line = joined()
    for _ in range(200):
        line.clock.advance(1.0)
        line.move()
    assert not line.client.ended and not line.server.ended


# Drain.


def test_a_drain_says_goaway_twice_and_loses_no_call() -> None:
    health = Health()
    line = joined(health)
    before = begin(stub(line.client).check(ask("wait")))
    line.move()
    line.server.drain(20.0)
    during = begin(stub(line.client).check(ask()))  # its frame crosses the GOAWAY
    first = goaways(line.down.written)
    assert [(each.last_call_id, each.code, each.drain_ms) for each in first] == [(MAX_CALL_ID, 0, 20_000)]
    line.move()
    assert during.result() == SERVING and not before.done and not line.down.closed
    assert not line.client.takes_calls
    health.release()
    line.move()
    assert before.result() == SERVING
    assert line.client.ended and line.server.ended and not line.clock.timers


def test_the_last_call_id_follows_after_a_second_without_pong() -> None:
    line = joined()
    line.server.data_received(call_frame(5, PATH))
    line.server.drain(20.0)
    line.down.take()
    line.clock.advance(1.0)
    assert [each.last_call_id for each in goaways(line.down.written)] == [5]
    assert line.down.closed


def test_an_idle_connection_is_drained_at_once() -> None:
    line = joined()
    line.server.drain(20.0)
    line.move()
    assert line.client.ended and line.server.ended


def test_a_drain_in_the_middle_of_a_handshake_waits_for_the_calls_that_come_with_it() -> None:
    line = Wire(Health().handlers())
    asked = begin(stub(line.client).check(ask()))
    line.server.drain(20.0)
    assert not line.down.closed and not line.down.written
    line.move()
    assert asked.result() == SERVING and line.server.ended


def test_a_drain_waits_for_a_request_in_pieces() -> None:
    line = joined()
    line.server.data_received(call_frame(1, PATH, flags=frames.MORE))
    line.server.drain(20.0)
    line.clock.advance(1.0)
    assert not line.down.closed
    line.server.data_received(encode(frames.MESSAGE, 1, flags=frames.END_STREAM))
    assert kinds(line.down.written)[-1] == frames.STATUS and line.down.closed


def test_a_server_may_speak_before_the_client() -> None:
    line = Wire(Health().handlers())
    line.client.data_received(hello_frame(node_id="early"))
    assert line.client.peer is not None and line.client.peer.node_id == "early"
    line.server.data_received(greeting())
    assert kinds(line.down.written) == [frames.HELLO]
