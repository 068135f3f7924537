"""Frames: a 16-byte header, Protobuf metadata, an opaque payload; and how much of each an end accepts."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from recmesh.rpc.status import Status

PREFACE = b"\x89RMW\r\n\x1a\n"
HEADER = struct.Struct(">IBBHII")  # body length, type, flags, metadata length, call id, CRC-32
HEADER_SIZE = HEADER.size
CHECKED = 12  # leading bytes of the header that the CRC-32 covers

HELLO, CALL, MESSAGE, STATUS, CANCEL, WINDOW, PING, GOAWAY = range(0x01, 0x09)
STATE = 0x89
IGNORABLE = 0x80  # a type with this bit may be unknown to its receiver

END_STREAM, MORE, CRC, ACK = 0x01, 0x02, 0x08, 0x10

MAX_META = 8_192  # bytes of metadata: it is parsed before anything is known about the call
MAX_PAIRS = 128  # of metadata in a call: an empty one is 2 bytes of a frame and 70 of its receiver's memory
MAX_CALL_ID = 2**31 - 1  # ids fit a signed 32-bit integer in every language
MAX_WINDOW = 2**31 - 1  # bytes of credit, as in HTTP/2
CEILING_MAX_FRAME = 1 << 20  # a larger frame would hold up the frames of other calls for too long
# What may be sent before the peer's HELLO is known, and where it says nothing: wire.proto states the same.
DEFAULT_MAX_FRAME = 65_536
DEFAULT_MAX_MESSAGE = 4 << 20
DEFAULT_MAX_CALLS = 1_024
DEFAULT_CALL_WINDOW = 256 << 10
DEFAULT_CONNECTION_WINDOW = 4 << 20


class ProtocolError(Exception):
    """The peer sent what no correct peer sends. The connection ends with a GOAWAY of this code and reason."""

    def __init__(self, reason: str, code: Status = Status.INTERNAL) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one end of a connection is ready to receive; told to the peer in HELLO."""

    max_frame: int = CEILING_MAX_FRAME  # bytes of one frame's body: the largest, so that large messages need few
    max_message: int = DEFAULT_MAX_MESSAGE  # bytes of one message: what one call may make a handler hold
    max_concurrent_calls: int = DEFAULT_MAX_CALLS  # calls served at once on one connection
    call_window: int = DEFAULT_CALL_WINDOW  # bytes of messages that wait for the handler or caller of one call
    connection_window: int = DEFAULT_CONNECTION_WINDOW  # the same for all calls together
    crc: bool = False  # frames carry a CRC-32 if both ends want it; TCP's checksum is enough on most networks

    def __post_init__(self) -> None:
        # A client may send calls under the defaults before it has read this end's HELLO.
        if not DEFAULT_MAX_FRAME <= self.max_frame <= CEILING_MAX_FRAME:
            raise ValueError(f"max_frame is {self.max_frame}; give {DEFAULT_MAX_FRAME} to {CEILING_MAX_FRAME} bytes")
        if self.call_window < DEFAULT_CALL_WINDOW or self.connection_window < DEFAULT_CONNECTION_WINDOW:
            smallest = f"{DEFAULT_CALL_WINDOW} and {DEFAULT_CONNECTION_WINDOW}"
            raise ValueError(f"call_window and connection_window must be at least {smallest} bytes")
        if max(self.call_window, self.connection_window) > MAX_WINDOW:
            raise ValueError(f"call_window and connection_window must be at most {MAX_WINDOW} bytes")
        if self.max_message < 1 or self.max_concurrent_calls < 1:
            raise ValueError("max_message and max_concurrent_calls must be at least 1")


DEFAULTS = Limits()

pack_header, unpack_header = HEADER.pack, HEADER.unpack_from


Frame: TypeAlias = tuple[int, int, int, bytes, bytes]
"""Type, flags, call id, metadata, payload: a plain tuple, because one is made for every frame."""


def encode(
    kind: int,
    call_id: int = 0,
    meta: bytes = b"",
    payload: bytes | memoryview = b"",
    flags: int = 0,
    *,
    crc: bool = False,
) -> bytes:
    size = len(meta) + len(payload)
    if not crc:
        return pack_header(size, kind, flags, len(meta), call_id, 0) + meta + payload
    flags |= CRC
    head = pack_header(size, kind, flags, len(meta), call_id, 0)[:CHECKED]
    check = zlib.crc32(payload, zlib.crc32(meta, zlib.crc32(head)))
    return b"".join((head, check.to_bytes(4, "big"), meta, payload))


class FrameReader:
    """Cuts a stream of bytes into frames. Holds at most one unfinished frame of `max_frame` and what came with it."""

    def __init__(self, max_frame: int) -> None:
        self._max_frame = max_frame
        self._held = bytearray()
        self._wanted = HEADER_SIZE  # nothing can be read before this many bytes are held

    @property
    def held(self) -> int:
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes; raises ProtocolError after those before a bad one."""
        return self._complete(data) if self._held else self._cut(data, 0)

    def _complete(self, data: bytes) -> Iterator[Frame]:
        """Puts together the frame that is held and no more: what follows is cut where it lies."""
        start = 0
        while self._held:
            missing = self._wanted - len(self._held)
            self._held += data[start : start + missing]
            if len(self._held) < self._wanted:
                return
            start += missing
            whole = bytes(self._held)
            self._held.clear()
            yield from self._cut(whole, 0)  # holds it again, if it is a header whose body is still to come
        yield from self._cut(data, start)

    def _cut(self, data: bytes, start: int) -> Iterator[Frame]:
        end, max_frame = len(data), self._max_frame
        self._wanted = HEADER_SIZE
        while end - start >= HEADER_SIZE:
            size, kind, flags, meta_size, call_id, check = unpack_header(data, start)
            if size > max_frame or meta_size > size or meta_size > MAX_META:
                raise self._bad_length(size, meta_size)
            body = start + HEADER_SIZE
            stop = body + size
            if stop > end:
                self._wanted = HEADER_SIZE + size
                break
            if flags & CRC and check != zlib.crc32(data[body:stop], zlib.crc32(data[start : start + CHECKED])):
                raise ProtocolError("the CRC-32 of a frame does not match its bytes")
            payload = body + meta_size
            yield kind, flags, call_id, data[body:payload], data[payload:stop]
            start = stop
        if start < end:
            self._held += data[start:]

    def _bad_length(self, size: int, meta_size: int) -> ProtocolError:
        if size > self._max_frame:
            reason = f"a frame of {size} bytes is over the limit of {self._max_frame}"
            return ProtocolError(reason, Status.RESOURCE_EXHAUSTED)
        if meta_size > MAX_META:
            reason = f"metadata of {meta_size} bytes is over the limit of {MAX_META}"
            return ProtocolError(reason, Status.RESOURCE_EXHAUSTED)
        return ProtocolError(f"metadata of {meta_size} bytes in a frame of {size}")
