"""The certificates of a process, from its settings to the connections it makes and takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from recmesh.mesh.authorise import authorised
from recmesh.ops.certificates import Certificates, certificates
from recmesh.ops.process import Life, Process, Serving
from recmesh.ops.settings import ProcessSettings, SettingsError
from recmesh.rpc import Channel, Handlers, Status, tx
from recmesh.rpc.tls import Tls
from recmesh.v1.health_rpc import HEALTH_CHECK
from tests.rpc.certificates import Authority
from tests.rpc.glues import Glued
from tests.rpc.kit import SERVING, Health, ask, failure_of, reactor, stub, until

OPEN = ProcessSettings(listen="127.0.0.1:0", drain_accept_seconds=0.0)


def settings_of(tls: Tls, **others: Any) -> ProcessSettings:
    files: dict[str, Any] = {"tls_certificate": tls.certificate, "tls_key": tls.key, "tls_authorities": tls.authorities}
    return dataclasses.replace(OPEN, tls_peers=tls.peers, **files, **others)


def test_without_files_everything_is_in_the_clear() -> None:
    assert certificates(OPEN) == Certificates()


def test_files_that_cannot_be_used_are_a_settings_error(tmp_path: Path) -> None:
    member = Authority(tmp_path).member("ranking")
    Path(member.key).unlink()
    with pytest.raises(SettingsError, match=r"tls_certificate, tls_key, tls_authorities: .*ranking.key cannot be read"):
        certificates(settings_of(member))


OTHER = dataclasses.replace(HEALTH_CHECK, path="/test.Health/Check")
"""Under a path of its own: a process's health is for everybody."""


async def check(endpoint: Any) -> Any:
    return await Channel(endpoint).call(OTHER, ask())


class ProcessTests(Glued):
    async def serving(self, settings: ProcessSettings, health: Health) -> str:
        """A process that serves; its address."""
        process, said = Process("ranking", reactor, settings), list[str]()

        async def start(process: Process, settings: ProcessSettings) -> Serving:
            handlers = Handlers()
            handlers.add(OTHER, health.check)
            return Serving(handlers, [], authorised(settings.allow))

        life = Life(process, settings, start, said.append)
        running = Deferred.fromCoroutine(life.run())
        await until(lambda: said)
        self.addCleanup(lambda: running)
        self.addCleanup(life.ask_to_stop)
        return str(said[0]).partition('"address": "')[2].partition('"')[0]

    async def test_processes_know_each_other(self) -> None:
        authority, health = Authority(self.folder), Health()
        address = await self.serving(settings_of(authority.member("ranking")), health)
        caller = Process("gateway", reactor, settings_of(authority.member("gateway", peers=("spiffe://mesh",))))
        assert await check(caller.endpoint(address)) == SERVING
        assert [context.principal for context in health.contexts] == ["spiffe://mesh/gateway"]
        await caller.release()

    async def test_a_process_lets_in_whom_a_rule_allows_and_anybody_to_its_health(self) -> None:
        authority, health = Authority(self.folder), Health()
        allow = (("spiffe://mesh/gateway", OTHER.path),)
        address = await self.serving(settings_of(authority.member("ranking"), allow=allow), health)

        async def call(endpoint: Any) -> Status:
            assert await stub(endpoint).check(ask()) is not None
            return (await failure_of(check(endpoint))).status

        assert await self.with_twisted(address, call, tls=authority.member("training")) == Status.PERMISSION_DENIED
        gateway = tx.Endpoint(reactor, address, tls=authority.member("gateway"))
        assert await check(gateway) == SERVING
        await gateway.close()
        assert len(health.asked) == 1
