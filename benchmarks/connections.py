"""What connections cost a server in memory: thousands that are idle, and some whose clients do not read.

    python benchmarks/connections.py [--quick] [--json FILE]

Idle connections are compared with those of a grpc.aio server in the same run. Those who do not read ask recmesh for all
they can: many large answers, or a stream without end; meanwhile another client makes calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from google.protobuf.wrappers_pb2 import BytesValue, Int32Value

from benchmarks.machine import machine
from recmesh.rpc import Channel, Context, Handlers, Kind, Method, aio, blocking, frames
from recmesh.rpc.frames import END_STREAM, PREFACE, encode
from recmesh.rpc.server import ConnectionLimits
from recmesh.wire.v1 import wire_pb2 as wire

LARGE: Final = Method("/bench.Large/Get", Int32Value, BytesValue)
ENDLESS: Final = Method("/bench.Large/Endless", Int32Value, BytesValue, kind=Kind.SERVER_STREAM)
ANSWER: Final = BytesValue(value=bytes(1 << 20))
SMALL: Final = BytesValue(value=b"x" * 100)
HTTP2: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # the preface and empty SETTINGS
WITHOUT_END: Final = 2**31 - 1  # as a window: this client takes everything, it says
HELLO: Final = PREFACE + encode(
    frames.HELLO,
    meta=wire.Hello(
        version_min=1, version_max=1, max_frame=1 << 20, call_window=WITHOUT_END, connection_window=WITHOUT_END
    ).SerializeToString(),
)


async def get(request: Int32Value, context: Context) -> BytesValue:
    return ANSWER if request.value else SMALL


async def endless(request: Int32Value, context: Context) -> AsyncIterator[BytesValue]:
    while True:
        yield ANSWER


async def serve_recmesh() -> None:
    handlers = Handlers()
    handlers.add(LARGE, get)
    handlers.add(ENDLESS, endless)
    server = await aio.listen("127.0.0.1:0", handlers, connections=ConnectionLimits(most=20_000))
    print(server.address.rpartition(":")[2], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


async def serve_grpc() -> None:
    import grpc.aio

    server = grpc.aio.server()
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


SERVERS: Final = {"recmesh": serve_recmesh, "grpc.aio": serve_grpc}


@contextmanager
def serving(contestant: str) -> Iterator[tuple[int, int]]:
    """The port and the process id of a server."""
    command = [sys.executable, __file__, "--serve", contestant]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
        process.stdin.close()


def resident(pid: int) -> int:
    """Bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def settled(pid: int) -> int:
    """Resident bytes, when they have not grown by 1 % for a second; after a minute as they are then."""
    before, end = 0, time.monotonic() + 60.0
    while (now := resident(pid)) > before * 1.01 and time.monotonic() < end:
        before = now
        time.sleep(1.0)
    return now


def connected(stack: ExitStack, port: int, said: bytes) -> socket.socket:
    """A connection whose other end has answered."""
    sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    sock.sendall(said)
    sock.recv(16)
    return sock


def idle(contestant: str, count: int) -> dict[str, Any]:
    with serving(contestant) as (port, pid), ExitStack() as stack:
        said = HELLO if contestant == "recmesh" else HTTP2
        with ExitStack() as first:
            connected(first, port, said)
        before = settled(pid)
        for _ in range(count):
            connected(stack, port, said)
        after = settled(pid)
    each = (after - before) / count
    return {"contestant": contestant, "connections": count, "resident_mb": after / 1e6, "kb_each": each / 1e3}


def call(number: int, method: Method[Any, Any], request: int) -> bytes:
    header = wire.CallHeader(method=method.path, kind=int(method.kind))  # type: ignore[arg-type]
    payload = Int32Value(value=request).SerializeToString()
    return encode(frames.CALL, number, header.SerializeToString(), payload, END_STREAM)


def unread(name: str, asked: Callable[[], bytes], clients: int) -> dict[str, Any]:
    """`clients` that ask and never read, and one that does both."""
    with serving("recmesh") as (port, pid), ExitStack() as stack:
        endpoint = blocking.Endpoint(f"127.0.0.1:{port}")
        before, p50_before = settled(pid), p50(endpoint)
        for _ in range(clients):
            connected(stack, port, HELLO + asked())
        after, p50_after = settled(pid), p50(endpoint)
        blocking.run(endpoint.close())
    return {
        "case": name,
        "clients": clients,
        "resident_mb_before": before / 1e6,
        "resident_mb": after / 1e6,
        "mb_each": (after - before) / 1e6 / clients,
        "other_client_p50_us_before": p50_before,
        "other_client_p50_us": p50_after,
    }


def p50(endpoint: blocking.Endpoint) -> float:
    """Microseconds of a small call."""
    channel, took = Channel(endpoint), list[float]()
    for _ in range(500):
        begin = time.perf_counter()
        blocking.run(channel.call(LARGE, Int32Value(), Context(deadline=time.monotonic() + 10)))
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1e6


def show(result: dict[str, Any]) -> None:
    for row in result["idle"]:
        print(f"{row['connections']:,} idle connections, {row['contestant']}: {row['kb_each']:.1f} kB each")
    for row in result["unread"]:
        print(
            f"{row['clients']} clients that do not read {row['case']}: {row['mb_each']:.1f} MB each;"
            f" another's call takes {row['other_client_p50_us']:.0f} us, {row['other_client_p50_us_before']:.0f} before"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the connections")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    parser.add_argument("--serve", choices=tuple(SERVERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(SERVERS[options.serve]())
        return
    count, clients = (1_000, 2) if options.quick else (10_000, 10)
    answers = b"".join(call(number, LARGE, 1) for number in range(1, 2_000, 2))
    result = {
        "idle": [idle(contestant, count) for contestant in SERVERS],
        "unread": [
            unread("1,000 answers of 1 MiB", lambda: answers, clients),
            unread("a stream without end", lambda: call(1, ENDLESS, 1), clients),
        ],
        "machine": machine(("protobuf", "grpcio")),
    }
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
