"""recmesh: the filters Trace and Metrics at both ends, a deadline in each call's context."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from benchmarks.machine import peak_bytes
from benchmarks.peers.load import (
    METHOD,
    MOST_BYTES,
    SECONDS,
    Cell,
    Tally,
    Transfer,
    TransferFigures,
    caller,
    order_of,
    tell,
)
from recmesh.mesh.metrics import Metrics
from recmesh.mesh.trace import Trace
from recmesh.ops.registry import Registry
from recmesh.rpc import Channel, Context, Filter, Handlers, Kind, Method, stack, tx
from recmesh.rpc.frames import Limits

ECHO = Method(METHOD, BytesValue, BytesValue)
DOWN = Method("/bench.Echo/Down", BytesValue, BytesValue, kind=Kind.SERVER_STREAM)
UP = Method("/bench.Echo/Up", BytesValue, BytesValue, kind=Kind.CLIENT_STREAM)
STREAM_SECONDS = 120.0
LIMITS = Limits(max_message=MOST_BYTES)


async def echo(request: BytesValue, context: Context) -> BytesValue:
    return request


async def down(request: BytesValue, context: Context) -> AsyncIterator[BytesValue]:
    transfer = Transfer(**json.loads(request.value))
    for each in _messages(transfer):
        yield each


async def up(requests: AsyncIterator[BytesValue], context: Context) -> BytesValue:
    size = 0
    async for each in requests:
        size += len(each.value)
    return BytesValue(value=str(size).encode())


def _messages(transfer: Transfer) -> Iterator[BytesValue]:
    for _ in range(transfer.stream_bytes // transfer.message_bytes):
        yield BytesValue(value=bytes(transfer.message_bytes))


def filters(reactor: Any, name: str) -> tuple[Filter, Filter]:
    return Trace(random.Random(1)), Metrics(tx.Clock(reactor), Registry(), name, "Calls.")


async def _serve(reactor: Any) -> None:
    reactor.seconds = time.monotonic  # as recmesh.ops.process has it
    handlers = Handlers()
    handlers.add(ECHO, echo)
    handlers.add(DOWN, down)
    handlers.add(UP, up)
    around = filters(reactor, "rpc_server_call_duration_seconds")
    server = await tx.listen(reactor, "127.0.0.1:0", handlers, filters=around, limits=LIMITS)
    print(server.address.rpartition(":")[2], flush=True)
    await deferToThread(sys.stdin.read)


async def _call(reactor: Any, port: int, server_pid: int) -> None:
    reactor.seconds = time.monotonic
    endpoint = tx.Endpoint(reactor, f"127.0.0.1:{port}", limits=LIMITS)
    channel = Channel(stack(*filters(reactor, "rpc_client_call_duration_seconds"), to=endpoint))
    while line := await deferToThread(sys.stdin.readline):
        order = order_of(line)
        if isinstance(order, Transfer):
            tell(await _transfer(channel, order, server_pid))
            continue
        tally = Tally(order, server_pid)
        await gatherResults([Deferred.fromCoroutine(_caller(channel, order, tally)) for _ in range(order.in_flight)])
        tell(tally.figures())
    await endpoint.close()


async def _transfer(channel: Channel, transfer: Transfer, server_pid: int) -> TransferFigures:
    begin, size = time.monotonic(), 0
    context = Context(deadline=begin + STREAM_SECONDS)
    if transfer.direction == "up":
        size = int((await channel.client_stream(UP, _messages(transfer), context)).value)
    else:
        request = BytesValue(value=json.dumps(asdict(transfer)).encode())
        async for each in channel.server_stream(DOWN, request, context):
            size += len(each.value)
    assert size == transfer.stream_bytes, f"{size} bytes of {transfer.stream_bytes} came"
    return TransferFigures(round(time.monotonic() - begin, 3), peak_bytes(server_pid), peak_bytes())


async def _caller(channel: Channel, cell: Cell, tally: Tally) -> None:
    request = BytesValue(value=b"x" * cell.payload_bytes)
    await caller(lambda: channel.call(ECHO, request, Context(deadline=time.monotonic() + SECONDS)), tally)


def serve() -> None:
    react(lambda reactor: Deferred.fromCoroutine(_serve(reactor)))


def call(port: int, server_pid: int) -> None:
    react(lambda reactor: Deferred.fromCoroutine(_call(reactor, port, server_pid)))
