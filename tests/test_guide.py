"""The programs of docs/guide.md run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from recmesh import client
from recmesh.rpc import Handlers
from recmesh.rpc.tx import listen
from tests.client.fake import FakeGateway

GUIDE = (Path(__file__).parent.parent / "docs" / "guide.md").read_text()
reactor = cast(Any, installed)


def outcome(program: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


class GuideTest(TestCase):
    async def test_every_program_runs(self) -> None:
        handlers = Handlers()
        FakeGateway().register(handlers)
        server = await listen(reactor, "127.0.0.1:0", handlers)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.close()))
        programs = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
        assert len(programs) == 8
        for program in programs:
            ended = await deferToThread(outcome, program.replace("127.0.0.1:7000", server.address))
            assert ended == (0, ""), program

    def test_the_keys_of_each_command_are_the_fields_of_its_result(self) -> None:
        documented = {
            command: re.findall(r"`(\w+)`", keys)
            for command, keys in re.findall(r"^\| `?([\w ,]+)`? \| (`.*) \|$", GUIDE, re.MULTILINE)
        }
        for command, kind in {
            "recommend": client.Recommendations,
            "similar": client.SimilarItems,
            "search": client.SearchResults,
            "feedback": client.Recorded,
            "items put": client.ItemsPut,
            "items delete": client.ItemsDeleted,
            "forget": client.UserDeleted,
            "status": client.MeshStatus,
            "of these, an upstream": client.UpstreamStatus,
            "of these, an endpoint": client.EndpointStatus,
        }.items():
            assert documented[command] == [field.name for field in fields(kind)], command
