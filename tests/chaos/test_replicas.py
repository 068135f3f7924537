"""C-03 and the like: one of two replicas stands still, errs, or takes ten times as long."""

from __future__ import annotations

import asyncio
import signal
import statistics
from collections.abc import Awaitable, Callable, Sequence

import pytest

from benchmarks.timeline import ALLOWED, Sample, Timeline, quantile
from recmesh.client import aio
from tests.chaos.load import BEFORE, Load, told, under_load
from tests.chaos.mesh import FAULTY, ChaosMesh

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

STOPPED = 10.0  # seconds
RECOVERED = 2.0  # seconds, after which calls take no more than ALLOWED times as long as before
SEEN = 0.001  # of the calls may notice a replica that errs at once
ROUNDS = 3  # of what is asserted of the 99th percentile the median counts: the machine has other things to do as well


def rounds(scenario: Callable[[], Awaitable[Timeline]], what: str, tell: Callable[[str], None]) -> list[Timeline]:
    several = list[Timeline]()
    for _ in range(ROUNDS):
        several.append(asyncio.run(_once(scenario)))
        tell(told(what, several[-1]))
    return several


async def _once(scenario: Callable[[], Awaitable[Timeline]]) -> Timeline:
    return await scenario()


def times_slower(several: list[Timeline], later: float) -> float:
    return statistics.median(each.p99_after(later) / quantile(each.before, 0.99) for each in several)


@pytest.mark.parametrize("victim", ["embedding-1", "ranking-1", "retrieval-1-1"])
def test_c03_a_replica_that_stands_still_is_gone_around(
    mesh: ChaosMesh, victim: str, tell: Callable[[str], None]
) -> None:
    async def scenario() -> Timeline:
        await mesh.whole()
        async with aio.Client(*mesh.gateways) as client, Load(client) as load:
            await load.lasts(BEFORE)
            load.struck()
            mesh.signal(victim, signal.SIGSTOP)
            await load.lasts(BEFORE + STOPPED)
            load.ended()
            mesh.signal(victim, signal.SIGCONT)
            await load.lasts(2 * BEFORE + STOPPED)
        return load.seen

    several = rounds(scenario, f"C-03 SIGSTOP {victim}", tell)
    assert [each.failed for each in several] == [0] * ROUNDS
    assert times_slower(several, RECOVERED) <= ALLOWED


@pytest.mark.parametrize("victim", FAULTY)
@pytest.mark.parametrize("status", ["UNAVAILABLE", "INTERNAL"])
def test_a_replica_that_errs_at_once_is_hardly_seen(
    mesh: ChaosMesh, victim: str, status: str, tell: Callable[[str], None]
) -> None:
    async def err() -> None:
        mesh.fault(victim, status)

    async def scenario() -> Timeline:
        await mesh.whole()
        async with aio.Client(*mesh.gateways) as client:
            seen = await under_load(client, strike=err)
        mesh.fault(victim, "")
        return seen

    seen = asyncio.run(scenario())
    tell(told(f"{status} at once, {victim}", seen))
    assert seen.failed <= SEEN * len(seen.samples)
    if status == "UNAVAILABLE":  # the other is no reason to ask again, and the answer goes without
        stage = victim.partition("-")[0]
        assert share_without(stage, seen.after) <= share_without(stage, seen.before) + SEEN


def share_without(stage: str, samples: Sequence[Sample]) -> float:
    return sum(stage in each.lost for each in samples) / len(samples)


@pytest.mark.parametrize("victim", FAULTY)
def test_a_replica_ten_times_slower_makes_no_user_wait_twice_as_long(
    mesh: ChaosMesh, victim: str, tell: Callable[[str], None]
) -> None:
    async def dawdle() -> None:
        mesh.fault(victim, "slow")

    async def scenario() -> Timeline:
        await mesh.whole()
        async with aio.Client(*mesh.gateways) as client:
            seen = await under_load(client, strike=dawdle)
        mesh.fault(victim, "")
        return seen

    several = rounds(scenario, f"10 times slower, {victim}", tell)
    assert [each.failed for each in several] == [0] * ROUNDS
    assert times_slower(several, 0.0) <= ALLOWED
