"""C-04, C-07, C-17 and the other faults of a network, between the gateways and one replica of each service, and
between a client and its gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.timeline import ALLOWED, Timeline, quantile
from recmesh.client import RpcError, aio
from recmesh.client.core import TIMEOUT
from tests.chaos.harness import Proxy
from tests.chaos.load import BEFORE, IN_FLIGHT, SECONDS, Load, under_load
from tests.chaos.mesh import PROXY_PORT, ChaosMesh, base_port, chaos_mesh, resident_bytes
from tests.chaos.report import Tell, stays_whole

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

PROXIED = ("embedding-1", "ranking-1", "retrieval-0-1")
OFFSETS = {
    "embedding-1": 101,
    "ranking-1": 301,
    "retrieval-0-1": 201,
    "gateway-0": 0,
}  # of local_mesh.py, from the base
LATE = 0.1  # seconds past its deadline that a call may end: two busy cores wake a timer late
PATIENCE = 1.0  # seconds, of a client whose gateway answers no more
MANY = 200  # items with their reasons: some 50 KiB
CORRUPTED = 0.01  # of the calls may end by a bit that changed an id or a name
MORE_MEMORY = 64 << 20  # bytes a gateway may take for a caller who does not read


class Wires:
    """A mesh, and the proxy between its gateways and some services, and before one gateway."""

    def __init__(self, mesh: ChaosMesh, proxy: Proxy, at: dict[str, str]) -> None:
        self.mesh, self.proxy, self.at = mesh, proxy, at


@pytest.fixture(scope="module")
def wires(kept_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wires]:
    base = base_port()
    at = {name: f"127.0.0.1:{base + PROXY_PORT + place}" for place, name in enumerate(OFFSETS)}
    targets = {at[name]: f"127.0.0.1:{base + offset}" for name, offset in OFFSETS.items()}
    proxied = {name: at[name] for name in PROXIED}
    with (
        Proxy(targets) as proxy,
        chaos_mesh(kept_bundle, tmp_path_factory.mktemp("wires"), base, proxied) as mesh,
    ):
        yield Wires(mesh, proxy, at)


@pytest.fixture(autouse=True)
def healed(wires: Wires) -> Iterator[None]:
    yield
    wires.proxy.tell()


FAULTS: dict[str, dict[str, Any]] = {
    "C-04 blackhole": {"up": {"blackhole": True}, "down": {"blackhole": True}},
    "C-04 blackhole of answers": {"down": {"blackhole": True}},
    "C-07 reset of requests": {"up": {"reset_within": 50_000}},
    "C-07 reset of answers": {"down": {"reset_within": 100_000}},
    "half-close": {"down": {"half_close_within": 50_000}},
    "byte by byte": {"up": {"bytewise": True}},
    "100 ms late": {"down": {"delay": 0.1}},
    "64 KiB/s": {"down": {"rate": 65_536}},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_wire_to_one_replica_of_each_service_fails_no_recommend(wires: Wires, fault: str, tell: Tell) -> None:
    async def strike() -> None:
        for victim in PROXIED:
            wires.proxy.tell(**FAULTS[fault], at=wires.at[victim])

    async def scenario() -> Timeline:
        await wires.mesh.whole()
        async with aio.Client(*wires.mesh.gateways) as client:
            return await under_load(client, strike=strike)

    seen = asyncio.run(scenario())
    tell(f"{fault}, services", seen)
    assert seen.failed == 0
    assert stays_whole(seen)
    assert max(each.took for each in seen.samples) <= TIMEOUT + LATE


def test_flipped_bits_end_no_process_and_few_calls(wires: Wires, tell: Tell) -> None:
    """Frames carry no checksum unless both ends ask for one: some bits change what is said, and not whether it is."""

    async def strike() -> None:
        for victim in PROXIED:
            wires.proxy.tell(down={"flip_within": 50_000}, at=wires.at[victim])

    async def scenario() -> Timeline:
        await wires.mesh.whole()
        async with aio.Client(*wires.mesh.gateways) as client:
            seen = await under_load(client, strike=strike)
        wires.proxy.tell()
        await wires.mesh.whole()
        return seen

    seen = asyncio.run(scenario())
    tell("flipped bits, services", seen)
    assert seen.failed <= CORRUPTED * len(seen.samples)
    assert all(each.process.poll() is None for each in wires.mesh.processes)


def test_c04_calls_over_a_dead_wire_fail_by_their_deadline(wires: Wires, tell: Tell) -> None:
    """Of a client that knows one gateway only, so that nothing can answer."""

    async def scenario() -> Timeline:
        await wires.mesh.whole()
        async with aio.Client(wires.at["gateway-0"]) as client, Load(client, timeout=PATIENCE) as load:
            await load.lasts(BEFORE)
            load.struck()
            wires.proxy.tell(**FAULTS["C-04 blackhole"], at=wires.at["gateway-0"])
            await load.lasts(BEFORE + 5 * PATIENCE)
        return load.seen

    seen = asyncio.run(scenario())
    wrong = [each for each in seen.after if not each.error.startswith("DEADLINE_EXCEEDED")]
    longest = max(each.took for each in seen.samples)
    tell("C-04 dead wire to the only gateway", seen, f"calls of {PATIENCE:g} s, the longest took {longest:.3f} s")
    assert len(seen.after) >= IN_FLIGHT and not wrong
    assert longest <= PATIENCE + LATE


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_wire_to_one_gateway_of_two_fails_no_recommend(wires: Wires, fault: str, tell: Tell) -> None:
    async def strike() -> None:
        wires.proxy.tell(**FAULTS[fault], at=wires.at["gateway-0"])

    async def scenario() -> Timeline:
        await wires.mesh.whole()
        async with aio.Client(wires.at["gateway-0"], wires.mesh.gateways[1]) as client:
            return await under_load(client, strike=strike)

    seen = asyncio.run(scenario())
    tell(f"{fault}, gateway-0", seen)
    assert seen.failed == 0
    assert stays_whole(seen)


def test_c17_a_slow_reader_takes_little_memory_and_nobody_elses_time(wires: Wires, tell: Tell) -> None:
    async def scenario() -> tuple[Timeline, int]:
        pid = wires.mesh.pid("gateway-0")
        await wires.mesh.whole()
        async with (
            aio.Client(wires.mesh.gateways[0]) as quick,
            aio.Client(wires.at["gateway-0"]) as slow,
            Load(quick) as load,
        ):
            await load.lasts(BEFORE)
            least = most = resident_bytes(pid)
            wires.proxy.tell(down={"rate": 1_024}, at=wires.at["gateway-0"])
            load.struck()
            # One at a time keeps the machine's cores for the others, while what was answered piles up unread.
            reading = asyncio.create_task(_ask_for_much(slow))
            for second in range(int(SECONDS - BEFORE)):
                await load.lasts(BEFORE + second + 1)
                most = max(most, resident_bytes(pid))
            load.ended()
            reading.cancel()
        return load.seen, most - least

    seen, more = asyncio.run(scenario())
    tell("C-17 a reader of 1 KiB/s", seen, f"{more >> 20} MiB more of memory in the gateway")
    assert seen.failed == 0
    assert more <= MORE_MEMORY
    assert seen.p99_after(0.0) <= ALLOWED * quantile(seen.before, 0.99)


async def _ask_for_much(client: aio.Client) -> None:
    while True:
        with suppress(RpcError):  # it reads too slowly for its own deadlines
            await client.recommend("1", count=MANY, explain=True, timeout=0.2)
