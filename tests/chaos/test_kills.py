"""C-01 and C-02: processes are killed, and restarted one after the other, under load.

No call fails, and no answer lacks what the other replica can give. Of the store of events there is one.
"""

from __future__ import annotations

import asyncio
import signal

import pytest

from benchmarks.timeline import Timeline
from recmesh.client import aio
from tests.chaos.load import under_load
from tests.chaos.mesh import GATEWAYS, SERVICES, ChaosMesh
from tests.chaos.report import Tell, stays_whole

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


@pytest.mark.parametrize("victim", [*SERVICES, *GATEWAYS])
def test_c01_killing_any_one_process_fails_no_recommend(mesh: ChaosMesh, victim: str, tell: Tell) -> None:
    async def kill() -> None:
        mesh.signal(victim, signal.SIGKILL)
        await mesh.ends(victim)

    async def scenario() -> Timeline:
        await mesh.whole()
        async with aio.Client(*mesh.gateways) as client:
            seen = await under_load(client, strike=kill)
        await mesh.start_again(victim)
        return seen

    seen = asyncio.run(scenario())
    tell(f"C-01 SIGKILL {victim}", seen)
    assert seen.failed == 0
    assert stays_whole(seen, *(["feedback"] if victim == "feedback-0" else []))


def test_c02_a_rolling_restart_of_every_process_fails_no_recommend(mesh: ChaosMesh, tell: Tell) -> None:
    async def restart_all() -> None:
        for name in (*SERVICES, *GATEWAYS):
            mesh.signal(name, signal.SIGTERM)
            await mesh.ends(name)
            await mesh.start_again(name)
            await mesh.known_again(name)

    async def scenario() -> Timeline:
        await mesh.whole()
        async with aio.Client(*mesh.gateways) as client:
            return await under_load(client, strike=restart_all)

    seen = asyncio.run(scenario())
    tell("C-02 SIGTERM to each in turn", seen)
    assert seen.failed == 0
    assert stays_whole(seen, "feedback")
