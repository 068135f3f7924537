"""Frames: a fixed 16-byte header, Protobuf metadata, an opaque payload. And the limits both ends agree on."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_MAX_FRAME = 65_536
CEILING_MAX_FRAME = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one end of a connection is ready to receive; told to the peer in HELLO."""

    max_frame: int = (
        CEILING_MAX_FRAME  # bytes of one frame's body: few frames a message, yet none holds up a PING for long
    )
    max_message: int = 4 << 20  # bytes of one whole message: what a handler may have to hold at once
    max_concurrent_calls: int = 1_024  # calls served at once on one connection
    crc: bool = False  # frames carry a CRC-32 when both ends want it; TCP's own checksum is mostly enough

    def __post_init__(self) -> None:
        # A client may send calls under the defaults before it has read our HELLO.
        if not DEFAULT_MAX_FRAME <= self.max_frame <= CEILING_MAX_FRAME:
            raise ValueError(f"max_frame is {self.max_frame}; it must be {DEFAULT_MAX_FRAME} to {CEILING_MAX_FRAME}")
