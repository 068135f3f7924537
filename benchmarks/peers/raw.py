"""The limit: recmesh's frames echoed one by one under uvloop, with no meaning at all."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import cast

import uvloop
from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.peers.load import METHOD, SECONDS, Cell, Tally, cell_of, tell
from recmesh.rpc.frames import CALL, END_STREAM, HEADER, encode
from recmesh.wire.v1.wire_pb2 import CallHeader


class Mirror(asyncio.Protocol):
    """Sends each frame back, and looks at nothing but its length."""

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._held + data
        start, end = 0, len(data)
        while end - start >= HEADER.size:
            stop = start + HEADER.size + int.from_bytes(data[start : start + 4], "big")
            if stop > end:
                break
            self._transport.write(data[start:stop])
            start = stop
        self._held = data[start:]


class Asker(asyncio.Protocol):
    """Sends a frame for each that came back whole."""

    def __init__(self) -> None:
        self._frame = b""
        self._sent: deque[float] = deque()
        self._part = 0  # bytes of a frame that has come in part
        self._tally: Tally | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def run(self, cell: Cell, tally: Tally) -> None:
        self._frame, self._tally = frame_of(cell), tally
        self._done = asyncio.get_running_loop().create_future()
        for _ in range(cell.in_flight):
            self._send(time.perf_counter())
        await self._done

    def data_received(self, data: bytes) -> None:
        came, self._part = divmod(self._part + len(data), len(self._frame))
        assert self._tally is not None
        for _ in range(came):
            now = time.perf_counter()
            if self._tally.count(self._sent.popleft(), now):
                self._send(now)
        if not self._sent and not self._done.done():
            self._done.set_result(None)

    def _send(self, now: float) -> None:
        self._sent.append(now)
        self._transport.write(self._frame)


def frame_of(cell: Cell) -> bytes:
    header = CallHeader(method=METHOD, timeout_us=int(SECONDS * 1e6), trace=bytes(25))
    payload = BytesValue(value=b"x" * cell.payload_bytes).SerializeToString()
    return encode(CALL, 1, header.SerializeToString(), payload, END_STREAM)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Mirror, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def _call(port: int, server_pid: int) -> None:
    _, asker = await asyncio.get_running_loop().create_connection(Asker, "127.0.0.1", port)
    while line := await asyncio.to_thread(sys.stdin.readline):
        cell = cell_of(line)
        tally = Tally(cell, server_pid)
        await asker.run(cell, tally)
        tell(tally.figures())


def serve() -> None:
    uvloop.run(_serve())


def call(port: int, server_pid: int) -> None:
    uvloop.run(_call(port, server_pid))
