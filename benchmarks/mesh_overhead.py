"""What the policies around a healthy call cost: CPU of the caller, with the whole stack and over a bare channel.

    python -m benchmarks.mesh_overhead [--quick] [--json FILE]

Both call the same two servers, processes of their own, over the same wire, with deadlines, trace and metrics as a user
would have them. The difference is what the stack costs; it is to stay under 25 us a call.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from benchmarks.machine import machine
from recmesh.mesh.backend import Policy, backend
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.resolver import Static
from recmesh.ops.registry import Registry
from recmesh.rpc import Call, Context, Handlers, Service, tx
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH

FLOOR: Final = 25.0  # us
IN_FLIGHT: Final = 16
REPEATS: Final = 5
SECONDS: Final = 1.0  # for a call; all of them are answered far sooner
ANSWER: Final = SearchResponse(item_ids=["alien"], bundle_version="1")


async def _serve(reactor: Any) -> None:
    async def search(request: SearchRequest, context: Context) -> SearchResponse:
        return ANSWER

    handlers = Handlers()
    handlers.add(RETRIEVAL_SEARCH, search)
    server = await tx.listen(reactor, "127.0.0.1:0", handlers)
    print(server.address, flush=True)
    await Deferred()


async def _cpu(service: Service, calls: int) -> float:
    """Microseconds of this process's CPU for one of so many calls, of which 16 are in flight."""
    request = SearchRequest(bundle_version="1")

    async def caller() -> None:
        for _ in range(calls // IN_FLIGHT):
            await service(Call(RETRIEVAL_SEARCH, request, Context(time.monotonic() + SECONDS)))

    begin = time.process_time()
    await gatherResults([Deferred.fromCoroutine(caller()) for _ in range(IN_FLIGHT)], consumeErrors=True)
    return (time.process_time() - begin) / calls * 1e6


async def _compare(reactor: Any, addresses: Sequence[str], calls: int, tell: Callable[[dict[str, Any]], None]) -> None:
    opened: list[tx.Endpoint] = []

    def connect(address: str) -> tx.Endpoint:
        opened.append(tx.Endpoint(reactor, address))
        return opened[-1]

    given = Surroundings(tx.Clock(reactor), random.Random(1), Registry())

    def stacked(**policy: Any) -> Service:
        connections = Connections(lambda where: connect(where.address))
        return backend("retrieval", Static.of(addresses), connections, given, Policy(**policy))

    turn = itertools.cycle([connect(address) for address in addresses])

    def bare(call: Call) -> Awaitable[Message]:
        return next(turn)(call)  # both servers as well: bytes are sent a connection at a time

    contestants: dict[str, Service] = {
        "bare": bare,
        "without hedging": stacked(hedging=False),
        "whole": stacked(),
    }
    for service in contestants.values():
        await _cpu(service, calls // 10)  # connections, and enough samples for hedges to be prepared for
    for repeat in range(REPEATS):
        for name, service in contestants.items():
            tell({"contestant": name, "repeat": repeat, "cpu_us": await _cpu(service, calls)})
    for endpoint in opened:
        await endpoint.close()


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the calls")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        react(lambda reactor: Deferred.fromCoroutine(_serve(reactor)))
    results: list[dict[str, Any]] = []
    about = machine(["twisted", "protobuf", "txaio"])
    command = [sys.executable, "-m", "benchmarks.mesh_overhead", "--serve"]
    servers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        addresses = [server.stdout.readline().strip() for server in servers if server.stdout is not None]
        calls = 8_000 if given.quick else 40_000

        def run(reactor: Any) -> Deferred[None]:
            reactor.seconds = time.monotonic
            return Deferred.fromCoroutine(_compare(reactor, addresses, calls, results.append))

        try:
            react(run)
        except SystemExit as ended:
            if ended.code:
                return 1
    finally:
        for server in servers:
            server.kill()
            server.wait()
    medians = {
        name: statistics.median(each["cpu_us"] for each in results if each["contestant"] == name)
        for name in dict.fromkeys(each["contestant"] for each in results)
    }
    added = medians["whole"] - medians["bare"]
    for name, median in medians.items():
        print(f"{name:16} {median:6.1f} us a call, {median - medians['bare']:5.1f} more than bare")
    print(f"{'under' if added < FLOOR else 'OVER'} the {FLOOR:g} us that the stack may cost")
    if given.json:
        given.json.write_text(json.dumps({"results": results, "added_us": added, "machine": about}, indent=1) + "\n")
    return 0 if added < FLOOR else 1


if __name__ == "__main__":
    sys.exit(_main())
