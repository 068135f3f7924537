"""grpc.aio: interceptors for metrics and trace at both ends, a timeout in each call."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.peers.load import METHOD, MOST_BYTES, SECONDS, Cell, Observed, Tally, caller, cell_of, tell

OPTIONS = [("grpc.max_receive_message_length", MOST_BYTES), ("grpc.max_send_message_length", MOST_BYTES)]
SERVICE, _, NAME = METHOD.removeprefix("/").partition("/")


async def echo(request: BytesValue, context: Any) -> BytesValue:
    return request


class Observe(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Times the handler, and gives its call a span below the caller's."""

    def __init__(self) -> None:
        self._observed = Observed("rpc_server_call_duration_seconds")
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(self, proceed: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        wrapped = self._wrapped.get(details.method)  # wrapped once, not for each call: cheaper than usual
        if wrapped is None:
            wrapped = self._wrapped[details.method] = self._wrap(await proceed(details))
        return wrapped

    def _wrap(self, handler: Any) -> Any:
        observed = self._observed

        async def answer(request: BytesValue, context: Any) -> BytesValue:
            begin = time.monotonic()
            metadata = dict(context.invocation_metadata())
            observed.traceparent(metadata.get("traceparent", ""))
            code = "UNKNOWN"
            try:
                reply: BytesValue = await handler.unary_unary(request, context)
                code = "OK"
                return reply
            finally:
                observed.record(begin, code)

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


async def _serve() -> None:
    server = grpc.aio.server(interceptors=[Observe()], options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(echo, BytesValue.FromString, BytesValue.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {NAME: handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def _call(port: int, server_pid: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        ask = channel.unary_unary(METHOD, BytesValue.SerializeToString, BytesValue.FromString)
        observed = Observed("rpc_client_call_duration_seconds")

        async def call(request: BytesValue) -> None:
            begin = time.monotonic()
            code = "UNKNOWN"
            try:
                # Around the call instead of a client interceptor, which costs grpc.aio a task a call.
                await ask(request, timeout=SECONDS, metadata=(("traceparent", observed.traceparent()),))
                code = "OK"
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                raise
            finally:
                observed.record(begin, code)

        while line := await asyncio.to_thread(sys.stdin.readline):
            cell = cell_of(line)
            tally = Tally(cell, server_pid)
            await asyncio.gather(*(_caller(call, cell, tally) for _ in range(cell.in_flight)))
            tell(tally.figures())


async def _caller(call: Callable[[BytesValue], Awaitable[None]], cell: Cell, tally: Tally) -> None:
    request = BytesValue(value=b"x" * cell.payload_bytes)
    await caller(lambda: call(request), tally)


def serve() -> None:
    asyncio.run(_serve())


def call(port: int, server_pid: int) -> None:
    asyncio.run(_call(port, server_pid))
