"""A client written from the protocol's document alone, in nothing but sockets, struct and the metadata messages.

It uses no code of recmesh.rpc; if it can talk to the server, so can one in another language.
"""

from __future__ import annotations

import socket
import struct
import zlib
from typing import Any, NamedTuple

from recmesh.v1 import health_pb2 as pb
from recmesh.wire.v1 import wire_pb2 as wire

HELLO, CALL, MESSAGE, STATUS, CANCEL, WINDOW, PING, GOAWAY = range(1, 9)
END, MORE, CRC, ACK = 0x01, 0x02, 0x08, 0x10
MAX_FRAME, CALL_WINDOW, CONNECTION_WINDOW = 65_536, 262_144, 4_194_304  # the document's defaults
CHECK = "/grpc.health.v1.Health/Check"


class Frame(NamedTuple):
    kind: int
    flags: int
    call: int
    meta: bytes
    payload: bytes


class Client:
    """Says what it is told to, and reads frame by frame."""

    def __init__(self, address: str, crc: bool = False, **hello: Any) -> None:
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.stream = self.socket.makefile("rb")
        self.crc = False
        self.windows = {0: CONNECTION_WINDOW}  # what the server takes: of all calls, and by call
        self.socket.sendall(b"\x89RMW\r\n\x1a\n")
        self.send(HELLO, 0, wire.Hello(version_min=1, version_max=1, crc=crc, node_id="foreign", **hello))
        self.crc = crc

    def send(self, kind: int, call: int, meta: Any = None, payload: bytes = b"", flags: int = 0) -> None:
        head = meta.SerializeToString() if meta is not None else b""
        flags |= CRC if self.crc else 0
        start = struct.pack(">IBBHI", len(head) + len(payload), kind, flags, len(head), call)
        check = zlib.crc32(start + head + payload) if self.crc else 0
        self.socket.sendall(start + struct.pack(">I", check) + head + payload)

    def read(self) -> Frame:
        """The next frame that is not credit; credit is counted."""
        while (frame := self.read_any()).kind == WINDOW:
            credit = struct.unpack(">I", frame.payload)[0]
            self.windows[frame.call] = self.windows.get(frame.call, CALL_WINDOW) + credit
        return frame

    def read_any(self) -> Frame:
        start = self.stream.read(16)
        size, kind, flags, meta, call, check = struct.unpack(">IBBHII", start)
        body = self.stream.read(size)
        if flags & CRC:
            assert check == zlib.crc32(start[:12] + body)
        return Frame(kind, flags, call, body[:meta], body[meta:])

    def send_message(self, call: int, message: bytes) -> None:
        """One message of a stream, in pieces as large as the windows and a frame allow; waits for credit."""
        left = message
        while True:
            window = min(self.windows[0], self.windows.setdefault(call, CALL_WINDOW))
            if not window and left:
                frame = self.read_any()
                assert frame.kind == WINDOW, frame  # nothing else comes in the meantime
                self.windows[frame.call] += struct.unpack(">I", frame.payload)[0]
                continue
            piece, left = left[: min(window, MAX_FRAME)], left[min(window, MAX_FRAME) :]
            for each in (0, call):
                self.windows[each] -= len(piece)
            self.send(MESSAGE, call, None, piece, MORE if left else 0)
            if not left:
                return

    def give(self, call: int, credit: int) -> None:
        self.send(WINDOW, call, None, struct.pack(">I", credit))

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def ask(self, call: int, service: str, **header: Any) -> None:
        request = pb.HealthCheckRequest(service=service).SerializeToString()
        self.send(CALL, call, wire.CallHeader(method=CHECK, **header), request, END)


def status(frame: Frame) -> wire.CallStatus:
    assert (frame.kind, frame.flags & END) == (STATUS, END)
    return wire.CallStatus.FromString(frame.meta)
