"""Unary calls a second over loopback, server and client a process each: recmesh beside Twisted's AMP, in one run.

    python -m benchmarks.rpc [--quick] [--json FILE]

Absolute figures do not travel between machines; the ratio within a run does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.protocols import amp

from recmesh.rpc import Channel, Context, Handlers, tx
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HealthBase, HealthStub

reactor: Any = installed
IN_FLIGHT = (1, 16, 128)
PAYLOAD = "x" * 100
CONTESTANTS = ("recmesh", "amp")


class Echo(HealthBase):
    """Answers a request of 100 bytes without any work of its own."""

    async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        return pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVING)


class Ask(amp.Command):
    """The same call in AMP."""

    arguments = [(b"service", amp.String())]  # noqa: RUF012 - as AMP asks for it
    response = [(b"status", amp.Integer())]  # noqa: RUF012 - and this


class EchoLocator(amp.CommandLocator):
    """Answers Ask."""

    @Ask.responder
    def ask(self, service: bytes) -> dict[str, int]:
        return {"status": 1}


async def serve(contestant: str) -> None:
    """Prints its port on stdout, and serves until stdin closes."""
    if contestant == "recmesh":
        handlers = Handlers()
        Echo().register(handlers)
        server = await tx.listen(reactor, "127.0.0.1:0", handlers)
        print(server.address.rpartition(":")[2], flush=True)
    else:
        factory = Factory.forProtocol(lambda: amp.AMP(locator=EchoLocator()))
        print(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
    reactor.callInThread(wait_for_parent)


def wait_for_parent() -> None:
    sys.stdin.read()
    reactor.callFromThread(reactor.stop)


async def caller(contestant: str, port: int) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]:
    """A function that makes one call, and one that ends the connection."""
    if contestant == "recmesh":
        endpoint = tx.Endpoint(reactor, f"127.0.0.1:{port}")
        stub, request = HealthStub(Channel(endpoint)), pb.HealthCheckRequest(service=PAYLOAD)
        return lambda: stub.check(request, Context(deadline=reactor.seconds() + 10)), endpoint.close
    protocol = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), amp.AMP())

    async def leave() -> None:
        protocol.transport.loseConnection()

    return lambda: protocol.callRemote(Ask, service=PAYLOAD.encode()), leave


async def measure(contestant: str, in_flight: int, seconds: float) -> float:
    """Calls a second, after a warm-up of a fifth of the time."""
    command = [sys.executable, "-m", "benchmarks.rpc", "--serve", contestant]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        call, leave = await caller(contestant, int(process.stdout.readline()))
        answered = 0
        begin = time.perf_counter() + seconds * 0.2
        end = begin + seconds

        async def worker() -> None:
            nonlocal answered
            while (now := time.perf_counter()) < end:
                await call()
                answered += begin <= now

        await tx.Clock(reactor).settled(*(worker() for _ in range(in_flight)))
        await leave()
        process.stdin.close()
    return answered / seconds


async def compare(quick: bool) -> dict[str, Any]:
    runs, seconds = (3, 1.0) if quick else (5, 3.0)
    rates: dict[str, dict[int, list[float]]] = {each: {n: [] for n in IN_FLIGHT} for each in CONTESTANTS}
    for _ in range(runs):
        for in_flight in IN_FLIGHT:
            for contestant in CONTESTANTS:
                rates[contestant][in_flight].append(await measure(contestant, in_flight, seconds))
    medians = {each: {n: statistics.median(rates[each][n]) for n in IN_FLIGHT} for each in CONTESTANTS}
    ratios = {n: medians["recmesh"][n] / medians["amp"][n] for n in IN_FLIGHT}
    return {"calls_per_second": medians, "times_amp": ratios, "runs": runs, "seconds": seconds}


def show(result: dict[str, Any]) -> None:
    print(f"{'in flight':>10} {'recmesh/s':>10} {'AMP/s':>10} {'ratio':>7}")
    for n in IN_FLIGHT:
        ours, theirs = (result["calls_per_second"][each][n] for each in CONTESTANTS)
        print(f"{n:>10} {ours:>10,.0f} {theirs:>10,.0f} {result['times_amp'][n]:>6.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds a contestant: for a first look")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    parser.add_argument("--serve", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    reactor.seconds = time.monotonic

    async def work() -> None:
        if options.serve:
            await serve(options.serve)
            return
        result = await compare(options.quick)
        show(result)
        if options.json:
            options.json.write_text(json.dumps(result, indent=2) + "\n")
        reactor.stop()

    def stop_on_failure(failure: Any) -> None:
        failure.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work()).addErrback(stop_on_failure))
    reactor.run()


if __name__ == "__main__":
    main()
