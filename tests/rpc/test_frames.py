"""Frames: what is read is what was written, however it is cut; and what is refused before it is held."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.rpc import Status, frames
from recmesh.rpc.frames import HEADER, Frame, FrameReader, Limits, ProtocolError, encode

LIMIT = frames.DEFAULT_MAX_FRAME

some_frames = st.lists(
    st.tuples(
        st.integers(0, 255),
        st.integers(0, 255).map(lambda flags: flags & ~frames.CRC),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=40),
        st.binary(max_size=40),
    ),
    max_size=6,
)


def read(reader: FrameReader, data: bytes, cuts: list[int]) -> list[Frame]:
    """`data`, fed in pieces of the sizes `cuts`, then the rest."""
    read: list[Frame] = []
    for cut in cuts:
        read += reader.feed(data[:cut])
        data = data[cut:]
    return read + list(reader.feed(data))


@given(some_frames, st.lists(st.integers(0, 50)), st.booleans())
def test_any_cut_of_the_bytes_gives_the_same_frames(wanted: list[Frame], cuts: list[int], crc: bool) -> None:
    data = b"".join(encode(kind, call, meta, payload, flags, crc=crc) for kind, flags, call, meta, payload in wanted)
    if crc:
        wanted = [(kind, flags | frames.CRC, call, meta, payload) for kind, flags, call, meta, payload in wanted]
    assert read(FrameReader(LIMIT), data, cuts) == wanted


def test_the_header_is_sixteen_bytes_in_the_documented_order() -> None:
    data = encode(frames.CALL, 7, b"meta", b"payload", frames.END_STREAM)
    assert data == bytes.fromhex("0000000b 02 01 0004 00000007 00000000") + b"meta" + b"payload"


def test_the_crc_covers_the_header_up_to_itself_and_the_body() -> None:
    data = encode(frames.CALL, 7, b"meta", b"payload", crc=True)
    assert data[5] == frames.CRC
    assert int.from_bytes(data[12:16], "big") == zlib.crc32(data[:12] + data[16:])


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_under_a_crc_is_found(place: int, bit: int) -> None:
    data = bytearray(encode(frames.MESSAGE, 1, b"meta", b"payload", crc=True))
    data[place % len(data)] ^= 1 << bit
    if not data[5] & frames.CRC:  # the flag itself is gone: nothing is checked
        return
    with pytest.raises(ProtocolError):
        list(FrameReader(LIMIT).feed(bytes(data) + bytes(LIMIT)))


@pytest.mark.parametrize(
    ("size", "meta_size", "reason", "code"),
    [
        (LIMIT + 1, 0, "a frame of 65537 bytes is over the limit of 65536", Status.RESOURCE_EXHAUSTED),
        (10, 11, "metadata of 11 bytes in a frame of 10", Status.INTERNAL),
        (9_000, 8_193, "metadata of 8193 bytes is over the limit of 8192", Status.RESOURCE_EXHAUSTED),
    ],
)
def test_a_bad_length_is_refused_at_the_header(size: int, meta_size: int, reason: str, code: Status) -> None:
    with pytest.raises(ProtocolError, match=reason) as caught:
        list(FrameReader(LIMIT).feed(HEADER.pack(size, frames.CALL, 0, meta_size, 1, 0)))
    assert caught.value.code == code


def test_frames_before_a_bad_one_are_read() -> None:
    reader = FrameReader(LIMIT).feed(encode(frames.PING, payload=bytes(8)) + b"\xff" * HEADER.size)
    assert next(iter(reader))[0] == frames.PING
    with pytest.raises(ProtocolError):
        next(iter(reader))


@pytest.mark.parametrize("limit", [1, LIMIT - 1, frames.CEILING_MAX_FRAME + 1])
def test_a_frame_limit_outside_what_the_protocol_allows_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="give 65536 to 1048576 bytes"):
        Limits(max_frame=limit)


def test_a_message_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(max_message=0)
