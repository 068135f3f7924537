"""Headers, lengths, types, flags, checksums, malformed metadata."""

from __future__ import annotations

import struct

from recmesh.rpc import frames
from recmesh.rpc.frames import ACK, CRC, DEFAULT_MAX_FRAME, END_STREAM, HEADER, MORE, encode
from recmesh.testing import call_frame, ping_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.record import Vector, vector

HEAD = wire.CallHeader(method="/a/B").SerializeToString()


@vector("server")
def a_type_that_may_be_ignored(at: Vector) -> None:
    """A type with the high bit that is not known is skipped, whatever its id and body; STATE is one to a server."""
    at.open()
    at.receive(encode(0xFF, 12_345, b"whatever", b"it is"), encode(0x80), encode(frames.STATE, meta=b"\x08\x01"))
    at.receive(call_frame(1, "/a/B"))


@vector("server")
def a_type_that_may_not_be_ignored(at: Vector) -> None:
    """A type without the high bit that is not known ends the connection; nothing after it is read."""
    at.open()
    at.receive(encode(0x40, 1), call_frame(1, "/a/B"))


@vector("server")
def a_status_to_a_server(at: Vector) -> None:
    """Frames of the other role are not known."""
    at.open()
    at.receive(status_frame(1))


@vector("client")
def a_call_to_a_client(at: Vector) -> None:
    """Frames of the other role are not known."""
    at.open()
    at.receive(call_frame(1, "/a/B"))


@vector("server")
def unknown_flags(at: Vector) -> None:
    """Flags that are not known are ignored, and known ones where they have no meaning."""
    at.open()
    at.receive(encode(frames.CALL, 1, HEAD, b"", END_STREAM | 0xE4 | ACK), encode(frames.CANCEL, 1, b"", b"", MORE))


@vector("server")
def unknown_fields(at: Vector) -> None:
    """Fields of metadata that are not known are skipped, and so is a payload where none belongs."""
    at.open()
    at.receive(encode(frames.CALL, 1, HEAD + b"\xa2\x06\x05later", b"", END_STREAM))
    at.receive(encode(frames.CANCEL, 1, b"\x08\x01", b"stray"))


@vector("server", max_frame=DEFAULT_MAX_FRAME)
def a_frame_as_large_as_may_be(at: Vector) -> None:
    """A body of max_frame bytes is taken, metadata counted; one more ends the connection when its header is read."""
    at.open()
    at.receive(encode(frames.CALL, 1, HEAD, b"x" * (DEFAULT_MAX_FRAME - len(HEAD)), END_STREAM))
    at.receive(HEADER.pack(DEFAULT_MAX_FRAME + 1, frames.CALL, END_STREAM, 0, 3, 0))


@vector("server")
def metadata_that_is_too_long(at: Vector) -> None:
    """Metadata has at most 8,192 bytes."""
    at.open()
    padded = wire.CallHeader(method="/a/B", tracestate="x" * (8_192 - len(HEAD) - 3)).SerializeToString()
    at.receive(encode(frames.CALL, 1, padded, b"", END_STREAM))
    at.receive(HEADER.pack(9_000, frames.CALL, END_STREAM, 8_193, 3, 0))


@vector("server")
def metadata_longer_than_its_frame(at: Vector) -> None:
    """Metadata lies inside the body."""
    at.open()
    at.receive(HEADER.pack(3, frames.CALL, END_STREAM, 4, 1, 0) + b"abc")


@vector("server", crc=True)
def checksums_when_both_want_them(at: Vector) -> None:
    """Both say crc: every frame after HELLO carries a CRC-32 over bytes 0 to 11 of the header and the body."""
    at.open(crc=True)
    at.receive(encode(frames.CALL, 1, HEAD, b"request", END_STREAM, crc=True), encode(frames.PING, payload=b"8 bytes!"))
    at.do("status", call=1, status={"origin": "APP", "processed": "YES"}, payload="0801")
    at.do("drain", drain_ms=1_000)


@vector("client", crc=True)
def no_checksums_when_one_does_not(at: Vector) -> None:
    """One end alone wants checksums: no frame has one."""
    at.open()
    at.do("call", header={"method": "/a/B"}, payload="78")


@vector("server")
def a_checksum_is_always_checked(at: Vector) -> None:
    """A frame that carries a checksum is checked, agreed or not; a wrong one ends the connection."""
    at.open()
    at.receive(encode(frames.CALL, 1, HEAD, b"request", END_STREAM, crc=True))
    bad = bytearray(encode(frames.CALL, 3, HEAD, b"request", END_STREAM, crc=True))
    bad[-1] ^= 1
    at.receive(bytes(bad))


@vector("server", crc=True)
def a_goaway_with_a_checksum(at: Vector) -> None:
    """The GOAWAY that ends a connection is a frame as any other."""
    at.open(crc=True)
    at.receive(struct.pack(">IBBHII", 0, frames.PING, CRC, 0, 0, 1))


@vector("server")
def a_ping_of_a_call(at: Vector) -> None:
    """PING and GOAWAY have call id 0."""
    at.open()
    at.receive(encode(frames.PING, 1, payload=b"8 bytes!"))


@vector("server")
def a_ping_of_seven_bytes(at: Vector) -> None:
    """PING carries 8 bytes."""
    at.open()
    at.receive(ping_frame(b"7 bytes"))


@vector("server")
def credit_of_three_bytes(at: Vector) -> None:
    """WINDOW carries 4 bytes."""
    at.open()
    at.receive(encode(frames.WINDOW, payload=b"\x00\x00\x01"))


@vector("server")
def malformed_call_header(at: Vector) -> None:
    """Metadata that does not parse ends the connection, here a method that is no UTF-8."""
    at.open()
    at.receive(encode(frames.CALL, 1, b"\x0a\x01\xff", b"", END_STREAM))


@vector("server")
def malformed_cancel(at: Vector) -> None:
    """As above."""
    at.open()
    at.receive(call_frame(1, "/a/B"), encode(frames.CANCEL, 1, b"\xff"))


@vector("server")
def malformed_goaway(at: Vector) -> None:
    """As above."""
    at.open()
    at.receive(encode(frames.GOAWAY, meta=b"\xff"))


@vector("client")
def malformed_status(at: Vector) -> None:
    """As above."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(encode(frames.STATUS, 1, b"\xff", b"", END_STREAM))


@vector("client")
def malformed_state(at: Vector) -> None:
    """As above: STATE may be unknown, but not wrong."""
    at.open()
    at.receive(encode(frames.STATE, meta=b"\xff"))


@vector("client")
def a_status_that_goes_on(at: Vector) -> None:
    """STATUS is the last frame of its call."""
    at.open()
    at.do("call", header={"method": "/a/B"})
    at.receive(encode(frames.STATUS, 1, b"", b"x", MORE))
