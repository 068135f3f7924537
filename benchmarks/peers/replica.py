"""A replica for benchmarks/faults.py: the same handler on recmesh and on grpc.aio, which errs or dawdles when told to.

    python -m benchmarks.peers.replica recmesh|grpc 127.0.0.1:23001

Lines on standard input say what the handler does from then on: "well", "errors", "slow". SIGTERM drains it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.wrappers_pb2 import BytesValue

METHOD: Final = "/benchmark.Replica/Answer"
HEALTH: Final = "/grpc.health.v1.Health/Check"
TAKES: Final = 0.02  # seconds, none of it CPU: two cores hold callers and replicas, and policies are to be compared
TIMES_SLOWER: Final = 10
GRACE: Final = 5.0  # seconds for calls under way, far more than they take


class Handler:
    """What every replica does with a call; raises nothing of its own library."""

    def __init__(self) -> None:
        self.kind = "well"

    async def __call__(self, request: BytesValue, err: Callable[[], Awaitable[None]]) -> BytesValue:
        if self.kind == "errors":
            await err()
        await asyncio.sleep(TAKES * (TIMES_SLOWER if self.kind == "slow" else 1))
        return request

    async def listen_to_orders(self) -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            self.kind = line.strip()
            print(self.kind, flush=True)


async def on_recmesh(address: str, handler: Handler, stop: asyncio.Event) -> None:
    from recmesh.rpc import Context, Handlers, Method, RpcError, Status
    from recmesh.rpc.aio import listen

    async def err() -> None:
        raise RpcError(Status.UNAVAILABLE, "broken on purpose")

    async def answer(request: BytesValue, context: Context) -> BytesValue:
        return await handler(request, err)

    handlers = Handlers()
    handlers.add(Method(METHOD, BytesValue, BytesValue, idempotent=True, read_only=True), answer)
    server = await listen(address, handlers)
    print("serving", flush=True)
    await stop.wait()
    await server.drain(GRACE)
    await server.close()


async def on_grpc(address: str, handler: Handler, stop: asyncio.Event) -> None:
    import grpc

    async def answer(request: BytesValue, context: Any) -> BytesValue:
        return await handler(request, lambda: context.abort(grpc.StatusCode.UNAVAILABLE, "broken on purpose"))

    async def check(request: bytes, context: Any) -> bytes:
        return b"\x08\x02" if stop.is_set() else b"\x08\x01"  # HealthCheckResponse: NOT_SERVING, SERVING

    def handlers(path: str, handler: Any) -> Any:
        service, _, name = path.removeprefix("/").partition("/")
        return grpc.method_handlers_generic_handler(service, {name: handler})

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])  # one that ends must not take calls from the next
    answering = grpc.unary_unary_rpc_method_handler(answer, BytesValue.FromString, BytesValue.SerializeToString)
    checking = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers([handlers(METHOD, answering), handlers(HEALTH, checking)])
    server.add_insecure_port(address)
    await server.start()
    print("serving", flush=True)
    await stop.wait()
    await server.stop(GRACE)


async def main() -> None:
    kind, address = sys.argv[1:]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    handler = Handler()
    orders = asyncio.create_task(handler.listen_to_orders())
    serving = asyncio.create_task({"recmesh": on_recmesh, "grpc": on_grpc}[kind](address, handler, stop))
    await asyncio.wait((orders, serving), return_when=asyncio.FIRST_COMPLETED)
    stop.set()  # whoever gave the orders is gone
    await serving
    sys.stdout.flush()
    # Its thread waits for standard input, and the interpreter would wait for the thread.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
