"""grpcio with threads: a pool of them serves, one for each call in flight calls; else as grpc_aio."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.peers.grpc_aio import NAME, OPTIONS, SERVICE
from benchmarks.peers.load import METHOD, SECONDS, Cell, Observed, Tally, cell_of, tell

WORKERS = 16  # an echo keeps no thread waiting; more of them answer no faster


def echo(request: BytesValue, context: Any) -> BytesValue:
    return request


class Observe(grpc.ServerInterceptor):  # type: ignore[misc]
    """Times the handler, and gives its call a span below the caller's."""

    def __init__(self) -> None:
        self._observed = Observed("rpc_server_call_duration_seconds")
        self._wrapped: dict[str, Any] = {}

    def intercept_service(self, proceed: Callable[[Any], Any], details: Any) -> Any:
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            wrapped = self._wrapped[details.method] = self._wrap(proceed(details))
        return wrapped

    def _wrap(self, handler: Any) -> Any:
        observed = self._observed

        def answer(request: BytesValue, context: Any) -> BytesValue:
            begin = time.monotonic()
            metadata = dict(context.invocation_metadata())
            observed.traceparent(metadata.get("traceparent", ""))
            code = "UNKNOWN"
            try:
                reply: BytesValue = handler.unary_unary(request, context)
                code = "OK"
                return reply
            finally:
                observed.record(begin, code)

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


def serve() -> None:
    server = grpc.server(ThreadPoolExecutor(WORKERS), interceptors=[Observe()], options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(echo, BytesValue.FromString, BytesValue.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {NAME: handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None).wait()


def call(port: int, server_pid: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        ask = channel.unary_unary(METHOD, BytesValue.SerializeToString, BytesValue.FromString)
        observed = Observed("rpc_client_call_duration_seconds")
        for line in sys.stdin:
            cell = cell_of(line)
            tally = Tally(cell, server_pid)
            with ThreadPoolExecutor(cell.in_flight) as callers:
                done = [callers.submit(_caller, ask, observed, cell, tally) for _ in range(cell.in_flight)]
            for each in done:
                each.result()
            tell(tally.figures())


def _caller(ask: Any, observed: Observed, cell: Cell, tally: Tally) -> None:
    request = BytesValue(value=b"x" * cell.payload_bytes)
    sent = time.perf_counter()
    goes_on = True
    while goes_on:
        _call_once(ask, observed, request)
        done = time.perf_counter()
        goes_on = tally.count(sent, done)
        sent = done


def _call_once(ask: Any, observed: Observed, request: BytesValue) -> None:
    begin = time.monotonic()
    code = "UNKNOWN"
    try:
        ask(request, timeout=SECONDS, metadata=(("traceparent", observed.traceparent()),))
        code = "OK"
    except grpc.RpcError as error:
        code = error.code().name
        raise
    finally:
        observed.record(begin, code)
