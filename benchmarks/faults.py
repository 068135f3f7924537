"""Faults of one replica of three, as callers see them: through recmesh's policies, and through Envoy.

    make bench-faults
    python -m benchmarks.faults [--quick] [--envoy BINARY] [--json FILE]

The same handler answers, on recmesh behind recmesh's own policies with their defaults, and on grpc.aio behind Envoy,
set up as benchmarks/peers/envoy.py says. Sixteen callers, each with one call of one second at a time; they know no
replica and no fault. Contestants take turns scenario by scenario. Rows show the sum of calls and failures over the
repeats, and the medians of the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.machine import machine
from benchmarks.peers.envoy import envoy
from benchmarks.peers.fleet import Replicas, free_addresses
from benchmarks.peers.replica import METHOD
from benchmarks.timeline import Sample, Timeline, quantile

CHECKOUT: Final = Path(__file__).resolve().parent.parent
ENVOY: Final = CHECKOUT / ".venv-faults" / "bin" / "envoy"
REPLICAS: Final = 3
IN_FLIGHT: Final = 16
SECONDS: Final = 1.0  # a call may take
PAYLOAD: Final = BytesValue(value=bytes(100))

Row = dict[str, Any]
Ask = Callable[[], Awaitable[str]]  # a call: why it failed, or nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a scenario is, and how often it is repeated."""

    before: float = 4.0
    fault: float = 10.0
    after: float = 2.0
    repeats: int = 3


QUICK: Final = Plan(before=2.0, fault=3.0, after=1.0, repeats=1)


SCENARIOS: Final[
    dict[str, tuple[Callable[[Replicas], Awaitable[None]], Callable[[Replicas], Awaitable[None]] | None]]
] = {
    "kill": (lambda replicas: replicas.signal(signal.SIGKILL), None),
    "rolling restart": (lambda replicas: replicas.restart_all(), None),
    "standstill": (lambda replicas: replicas.signal(signal.SIGSTOP), lambda replicas: replicas.signal(signal.SIGCONT)),
    "errors at once": (lambda replicas: replicas.order("errors"), lambda replicas: replicas.order("well")),
    "10 times slower": (lambda replicas: replicas.order("slow"), lambda replicas: replicas.order("well")),
}


@asynccontextmanager
async def through_recmesh(addresses: Sequence[str]) -> AsyncIterator[Ask]:
    from recmesh.mesh.backend import Policy, backend
    from recmesh.mesh.endpoints import Connections, Surroundings
    from recmesh.mesh.metrics import Unrecorded
    from recmesh.mesh.resolver import Static
    from recmesh.rpc import Call, Context, Method, RpcError
    from recmesh.rpc.aio import Clock, Endpoint

    clock = Clock()
    opened: list[Endpoint] = []

    def connect(where: Any) -> Endpoint:
        opened.append(Endpoint(where.address))
        return opened[-1]

    given = Surroundings(clock, random.Random(1), Unrecorded())
    service = backend("replica", Static.of(addresses), Connections(connect), given, Policy())
    method = Method(METHOD, BytesValue, BytesValue, idempotent=True, read_only=True)

    async def ask() -> str:
        try:
            await service(Call(method, PAYLOAD, Context(clock.seconds() + SECONDS)))
        except RpcError as error:
            return str(error)
        return ""

    yield ask
    for each in opened:
        await each.close()


@asynccontextmanager
async def through_envoy(address: str) -> AsyncIterator[Ask]:
    import grpc

    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(METHOD, BytesValue.SerializeToString, BytesValue.FromString)

        async def ask() -> str:
            try:
                await call(PAYLOAD, timeout=SECONDS)
            except grpc.aio.AioRpcError as error:
                return f"{error.code().name}: {error.details()}"
            return ""

        yield ask


async def under(scenario: str, replicas: Replicas, ask: Ask, plan: Plan) -> Timeline:
    seen = Timeline()
    going = True

    async def caller() -> None:
        while going:
            begin = time.monotonic()
            error = await ask()
            seen.samples.append(Sample(begin, time.monotonic() - begin, error))
            if error:
                await asyncio.sleep(0.01)  # a caller who fails at once makes no more calls than one who is answered

    callers = [asyncio.create_task(caller()) for _ in range(IN_FLIGHT)]
    strike, heal = SCENARIOS[scenario]
    await asyncio.sleep(plan.before)
    seen.struck = time.monotonic()
    await strike(replicas)
    await asyncio.sleep(seen.struck + plan.fault - time.monotonic())
    if heal is not None:
        await heal(replicas)
    seen.ended = time.monotonic()
    await asyncio.sleep(plan.after)
    going = False
    await asyncio.gather(*callers)
    return seen


async def turn(contestant: str, scenario: str, binary: Path, plan: Plan) -> Row:
    listen, admin, *addresses = free_addresses(2 + REPLICAS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        replicas = Replicas("recmesh" if contestant == "recmesh" else "grpc", addresses)
        stack.callback(replicas.close)
        if contestant == "recmesh":
            way = through_recmesh(addresses)
        else:
            stack.enter_context(envoy(binary, listen, admin, addresses, folder))
            way = through_envoy(listen)
        async with way as ask:
            seen = await under(scenario, replicas, ask, plan)
    return row(contestant, scenario, seen)


def row(contestant: str, scenario: str, seen: Timeline) -> Row:
    """Calls and failures of all the time; latencies of what began after the strike, beside those of before."""
    recovery = seen.recovery()
    return {
        "contestant": contestant,
        "scenario": scenario,
        "calls": len(seen.samples),
        "failed": seen.failed,
        "p50_ms": round(1000 * quantile(seen.after, 0.5), 2),
        "p99_ms": round(1000 * quantile(seen.after, 0.99), 2),
        "longest_ms": round(1000 * max(each.took for each in seen.samples), 1),
        "p99_before_ms": round(1000 * quantile(seen.before, 0.99), 2),
        "recovery_s": recovery if math.isfinite(recovery) else None,
        "failures": dict(seen.failures.most_common(5)),
    }


def median(repeats: Sequence[Row]) -> Row:
    """Failures are the sum: one in three repeats is one too many."""
    first = repeats[0]
    merged = {
        **first,
        "calls": sum(each["calls"] for each in repeats),
        "failed": sum(each["failed"] for each in repeats),
    }
    for key in ("p50_ms", "p99_ms", "longest_ms", "p99_before_ms"):
        merged[key] = statistics.median(each[key] for each in repeats)
    never = float("inf")
    recovery = statistics.median(never if each["recovery_s"] is None else each["recovery_s"] for each in repeats)
    merged["recovery_s"] = None if recovery == never else recovery
    merged["failures"] = dict(sum((Counter(each["failures"]) for each in repeats), Counter[str]()))
    return merged


def compare(plan: Plan, binary: Path, scenarios: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for scenario in scenarios:
        turns: dict[str, list[Row]] = {"recmesh": [], "envoy": []}
        for _ in range(plan.repeats):
            for contestant, repeats in turns.items():
                print(f"{scenario}: {contestant}", file=sys.stderr, flush=True)
                repeats.append(asyncio.run(turn(contestant, scenario, binary, plan)))
        rows += [median(repeats) | {"repeats": repeats} for repeats in turns.values()]
    return rows


def show(rows: Sequence[Row]) -> None:
    columns = ("calls", "failed", "p50_ms", "p99_ms", "longest_ms", "p99_before_ms", "recovery_s")
    print(f"{'':28}" + "".join(f"{each:>15}" for each in columns))
    for each in rows:
        figures = "".join(f"{'never' if each[name] is None else each[name]:>15}" for name in columns)
        print(f"{each['scenario']:18}{each['contestant']:10}{figures}")
        for why, count in each["failures"].items():
            print(f"{'':18}{count} x {why[:100]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short repeat of each: a first look in two minutes")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="this one only; may be repeated")
    parser.add_argument("--envoy", type=Path, default=ENVOY, metavar="BINARY")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    options = parser.parse_args()
    about = machine(("twisted", "protobuf", "grpcio"))
    rows = compare(QUICK if options.quick else Plan(), options.envoy, options.scenario or list(SCENARIOS))
    show(rows)
    if options.json:
        options.json.write_text(json.dumps({"results": rows, "machine": about}, indent=1) + "\n")


if __name__ == "__main__":
    main()
