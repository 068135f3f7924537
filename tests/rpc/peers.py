"""What a peer may send: frames that are right, nearly right, or bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import strategies as st

from recmesh.rpc import frames
from recmesh.rpc.frames import END_STREAM, MAX_CALL_ID, MORE, PREFACE, encode
from recmesh.testing import cancel_frame, goaway_frame, hello_frame, ping_frame, state_frame
from recmesh.wire.v1 import wire_pb2 as wire

IDS = st.one_of(st.sampled_from((0, 1, 1, 3, 3, 5, 7, 2, MAX_CALL_ID)), st.integers(0, 2**32 - 1))
FLAGS = st.one_of(st.sampled_from((0, END_STREAM, MORE, END_STREAM | MORE, frames.ACK)), st.integers(0, 255))
SIZES = st.one_of(st.integers(0, 20), st.sampled_from((60_000, 65_000, 65_536, 70_000)))
METHODS = st.sampled_from(
    ("/vectors.Words/Say", "/vectors.Words/Join", "/vectors.Words/Spell", "/vectors.Words/Echo", "")
)
WORDS = st.sampled_from((b"", b"\x0a\x04wait", b"\x0a\x04fail", b"\x0a\x06refuse", b"\x0a\x05wrong", b"\x0a\x03abc"))
PAYLOADS = st.one_of(WORDS, st.binary(max_size=20), SIZES.map(bytes))
HEADERS = st.builds(
    lambda method, kind, timeout: wire.CallHeader(method=method, kind=kind, timeout_us=timeout).SerializeToString(),
    METHODS,
    st.integers(0, 5),
    st.sampled_from((0, 1, 1_000_000, 2**64 - 1)),
)
STATUSES = st.builds(lambda code: wire.CallStatus(code=code).SerializeToString(), st.sampled_from((0, 0, 4, 99)))
METADATA = st.one_of(st.just(b""), st.binary(max_size=20), HEADERS, STATUSES)
CREDIT = st.one_of(st.sampled_from((1, 65_536, 2**31 - 1)), st.integers(0, 2**32 - 1)).map(
    lambda n: n.to_bytes(4, "big")
)

right = st.one_of(
    st.builds(lambda i, meta, data, flags: encode(frames.CALL, i, meta, data, flags), IDS, HEADERS, PAYLOADS, FLAGS),
    st.builds(lambda i, data, flags: encode(frames.MESSAGE, i, payload=data, flags=flags), IDS, PAYLOADS, FLAGS),
    st.builds(lambda i, meta, data: encode(frames.STATUS, i, meta, data, END_STREAM), IDS, STATUSES, PAYLOADS),
    st.builds(cancel_frame, IDS),
    st.builds(lambda i, credit: encode(frames.WINDOW, i, payload=credit), IDS, CREDIT),
    st.builds(ping_frame, st.binary(min_size=8, max_size=8), ack=st.booleans()),
    st.builds(goaway_frame, st.integers(0, 9)),
    st.builds(state_frame, st.booleans()),
)
wrong = st.builds(
    lambda kind, flags, i, meta, data: encode(kind, i, meta, data, flags),
    st.one_of(st.integers(1, 9), st.integers(0, 255)),
    FLAGS.map(lambda flags: flags & ~frames.CRC),
    IDS,
    METADATA,
    PAYLOADS,
)
damaged = st.builds(
    lambda frame, place, bit: frame[:place] + bytes([frame[place % len(frame)] ^ bit]) + frame[place + 1 :],
    right,
    st.integers(0, 40),
    st.sampled_from((1, 2, 16, 128)),
)
hellos = st.builds(
    lambda window, in_all, frame, crc: hello_frame(
        call_window=window, connection_window=in_all, max_frame=frame, crc=crc
    ),
    st.sampled_from((0, 1, 1_000, 2**32 - 1)),
    st.sampled_from((0, 1, 1_000, 2**32 - 1)),
    st.sampled_from((0, 8_191, 8_192, 2**32 - 1)),
    st.booleans(),
)
bits = st.lists(st.one_of(right, right, right, wrong, damaged, st.binary(max_size=40)), max_size=30)


class Peer(NamedTuple):
    """What it sends, cut into pieces, and what the application at this end does between them."""

    opening: bytes
    data: bytes
    cut: int
    acts: list[tuple[int, int, int]]  # what, the id of a call or a time, a size

    def pieces(self) -> Iterator[bytes]:
        yield self.opening
        yield from (self.data[at : at + self.cut] for at in range(0, len(self.data), self.cut))


def peers(serving: bool) -> st.SearchStrategy[Peer]:
    opening = st.one_of(hellos.map(lambda hello: PREFACE + hello if serving else hello), st.binary(max_size=30))
    act = st.tuples(st.integers(0, 5), st.sampled_from((1, 3, 5, 7)), SIZES)
    return st.builds(Peer, opening, bits.map(b"".join), st.integers(1, 200_000), st.lists(act, max_size=30))
