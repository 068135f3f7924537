"""recmesh: the filters Trace and Metrics at both ends, a deadline in each call's context."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from benchmarks.peers.load import METHOD, MOST_BYTES, SECONDS, Cell, Tally, caller, cell_of, tell
from recmesh.mesh.metrics import Metrics
from recmesh.mesh.trace import Trace
from recmesh.ops.registry import Registry
from recmesh.rpc import Channel, Context, Filter, Handlers, Method, stack, tx
from recmesh.rpc.frames import Limits

ECHO = Method(METHOD, BytesValue, BytesValue)
LIMITS = Limits(max_message=MOST_BYTES)


async def echo(request: BytesValue, context: Context) -> BytesValue:
    return request


def filters(reactor: Any, name: str) -> tuple[Filter, Filter]:
    return Trace(random.Random(1)), Metrics(tx.Clock(reactor), Registry(), name, "Calls.")


async def _serve(reactor: Any) -> None:
    reactor.seconds = time.monotonic  # as recmesh.ops.process has it
    handlers = Handlers()
    handlers.add(ECHO, echo)
    around = filters(reactor, "rpc_server_call_duration_seconds")
    server = await tx.listen(reactor, "127.0.0.1:0", handlers, filters=around, limits=LIMITS)
    print(server.address.rpartition(":")[2], flush=True)
    await deferToThread(sys.stdin.read)


async def _call(reactor: Any, port: int, server_pid: int) -> None:
    reactor.seconds = time.monotonic
    endpoint = tx.Endpoint(reactor, f"127.0.0.1:{port}", limits=LIMITS)
    channel = Channel(stack(*filters(reactor, "rpc_client_call_duration_seconds"), to=endpoint))
    while line := await deferToThread(sys.stdin.readline):
        cell = cell_of(line)
        tally = Tally(cell, server_pid)
        await gatherResults([Deferred.fromCoroutine(_caller(channel, cell, tally)) for _ in range(cell.in_flight)])
        tell(tally.figures())
    await endpoint.close()


async def _caller(channel: Channel, cell: Cell, tally: Tally) -> None:
    request = BytesValue(value=b"x" * cell.payload_bytes)
    await caller(lambda: channel.call(ECHO, request, Context(deadline=time.monotonic() + SECONDS)), tally)


def serve() -> None:
    react(lambda reactor: Deferred.fromCoroutine(_serve(reactor)))


def call(port: int, server_pid: int) -> None:
    react(lambda reactor: Deferred.fromCoroutine(_call(reactor, port, server_pid)))
