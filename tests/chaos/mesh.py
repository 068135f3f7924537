"""The mesh that is put under fire: two of everything but the one store of events, and two gateways."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from examples.local_mesh import LocalMesh, Plan, Running, common, free_base_port, plan
from recmesh.client import RpcError, aio
from recmesh.ops.settings import ADMIN_OFFSET

BASE_PORTS: Final = range(21_000, 26_000, 1_000)
PROXY_PORT: Final = 600  # from the base on, past all others
WAIT: Final = 150.0  # seconds for a condition; an endpoint that failed its probes is tried again after 90 at the latest
LOOK: Final = 0.1  # seconds between two looks
FAULTY: Final = ("embedding-0", "ranking-0", "retrieval-0-0")  # can be told to err; see faulty.py
GATEWAYS: Final = ("gateway-0", "gateway-1")
SERVICES: Final = (
    "embedding-0",
    "embedding-1",
    "ranking-0",
    "ranking-1",
    "feedback-0",
    *(f"retrieval-{shard}-{replica}" for shard in (0, 1) for replica in (0, 1)),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def chaos_plan(bundle: Path, state: Path, base: int, proxied: Mapping[str, str]) -> list[Plan]:
    """`proxied`: the names of services to the addresses under which gateways find them."""
    plans = plan(bundle, state, 2, 2, base, stateless=2)
    names = {each.address: each.name for each in plans}

    def found_at(upstreams: Any) -> Any:
        if isinstance(upstreams, list):
            return [found_at(each) for each in upstreams]
        return proxied.get(names[upstreams], upstreams)

    gateway = plans.pop()
    told = dict(gateway.settings)
    told["upstreams"] = {key: found_at(each) for key, each in told["upstreams"].items()}
    plans = [replace(each, module="tests.chaos.faulty") if each.name in FAULTY else each for each in plans]
    for place in (1, 0):  # LocalMesh starts the last when all others serve
        port = base + place
        plans.append(Plan(GATEWAYS[place], gateway.module, port, told | common(GATEWAYS[place], port)))
    return plans


class ChaosMesh(LocalMesh):
    """Processes that can be killed, stopped, broken and started again, each by its name."""

    def __init__(self, plans: Sequence[Plan], state: Path) -> None:
        super().__init__(plans, state)
        self._by_name = {each.name: each for each in plans}

    def running(self, name: str) -> Running:
        return next(each for each in self.processes if each.name == name)

    def pid(self, name: str) -> int:
        return self.running(name).process.pid

    def address(self, name: str) -> str:
        return self._by_name[name].address

    @property
    def gateways(self) -> Sequence[str]:
        return [self.address(name) for name in GATEWAYS]

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.pid(name), number)

    def fault(self, name: str, kind: str) -> None:
        """See faulty.py."""
        path = self._state / "config" / f"{name}.fault"
        beside = path.with_suffix(".next")
        beside.write_text(kind)
        beside.rename(path)

    async def ends(self, name: str) -> None:
        running = self.running(name)
        await asyncio.to_thread(running.process.wait, WAIT)
        self.processes.remove(running)

    async def start_again(self, name: str) -> None:
        running = self._spawn(self._by_name[name])  # by this thread: processes die with the one that started them
        await asyncio.to_thread(self._await_serving, running, time.monotonic() + WAIT)

    async def whole(self) -> None:
        """Until every gateway is connected to every process and holds nothing against it."""
        for address in self.gateways:
            async with aio.Client(address) as client:
                await until(partial(_is_whole, client), f"{address} to find every process well")

    async def known_again(self, name: str) -> None:
        """Until those who call a process that was started are connected to it."""
        if name in GATEWAYS:

            async def called() -> bool:
                return await asyncio.to_thread(self.connections, name) > 0

            await until(called, f"a client to return to {name}")
            return
        for gateway in self.gateways:
            async with aio.Client(gateway) as client:
                await until(partial(_is_connected, client, self.address(name)), f"{gateway} to return to {name}")

    async def at_rest(self) -> None:
        """Until no process holds a call, and nobody waits for one."""
        for each in self.processes:
            await until(partial(_holds_nothing, each.address), f"{each.name} to hold no call")

    def errors(self) -> list[str]:
        """What the processes that run have logged as their own mistakes."""
        lines = (line for each in self.processes for line in each.log.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if '"level": "error"' in line]

    def connections(self, name: str) -> int:
        return int(metric(self.address(name), "recmesh_server_connections"))


async def _is_whole(client: aio.Client) -> bool:
    try:
        status = await client.status()
        await client.recommend("1")  # an ejected endpoint needs a call to show itself well
    except RpcError:
        return False
    every = [each for upstream in status.upstreams for each in upstream.endpoints]
    return all(each.state == "ready" and each.health == "healthy" and not each.problem for each in every)


async def _is_connected(client: aio.Client, address: str) -> bool:
    status = await client.status()
    return any(
        each.address == address and each.state == "ready"
        for upstream in status.upstreams
        for each in upstream.endpoints
    )


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    limit = time.monotonic() + WAIT
    while not await condition():
        assert time.monotonic() < limit, f"waited {WAIT:g} s for {what}"
        await asyncio.sleep(LOOK)


async def _holds_nothing(address: str) -> bool:
    names = ("recmesh_admission_in_flight", "recmesh_admission_waiting", "recmesh_upstream_calls_in_flight")
    return await asyncio.to_thread(lambda: not any(metric(address, each) for each in names))


def metric(address: str, name: str) -> float:
    """The sum of a gauge over its labels, from the admin port; 0 of one that is not there."""
    host, _, port = address.partition(":")
    with urllib.request.urlopen(f"http://{host}:{int(port) + ADMIN_OFFSET}/metrics", timeout=WAIT) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@contextmanager
def chaos_mesh(bundle: Path, state: Path, base: int, proxied: Mapping[str, str] | None = None) -> Iterator[ChaosMesh]:
    mesh = ChaosMesh(chaos_plan(bundle, state, base, proxied or {}), state)
    mesh.start()
    try:
        yield mesh
    finally:
        for running in mesh.processes:
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGCONT)  # what was stopped could not end
        mesh.stop()


def base_port() -> int:
    return free_base_port(2, 2, BASE_PORTS)
