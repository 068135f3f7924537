"""Each client, and the command, against a gateway behind a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import subprocess
import sys
from typing import Any, cast

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from recmesh import cli
from recmesh.client import Event, RpcError, Status, aio, blocking, tx
from recmesh.rpc import Context, Handlers
from recmesh.rpc.tx import listen
from recmesh.v1 import recommender_pb2 as pb
from tests.client.fake import FakeGateway

reactor = cast(Any, installed)


class SilentSearch(FakeGateway):
    """Answers everything but searches."""

    async def search_items(self, request: pb.SearchItemsRequest, context: Context) -> pb.SearchItemsResponse:
        return await Deferred()


def nobody() -> str:
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def with_blocking(address: str) -> tuple[str, Status]:
    """A title, and how a search ended that is never answered; then the connection is used again."""
    with blocking.Client(nobody(), address) as client:
        answer = client.recommend("42")
        try:
            client.search("x", timeout=0.05)
        except RpcError as error:
            assert client.record(Event("42", "1214")).recorded == 1
            return answer.items[0].title, error.status
    raise AssertionError("the search was answered")


async def with_asyncio(address: str) -> tuple[str, Status]:
    async with aio.Client(nobody(), address) as client:
        answer = await client.recommend("42")
        try:
            await client.search("x", timeout=0.05)
        except RpcError as error:
            assert (await client.record(Event("42", "1214"))).recorded == 1
            return answer.items[0].title, error.status
    raise AssertionError("the search was answered")


async def with_twisted(address: str) -> tuple[str, Status]:
    async with tx.Client(nobody(), address) as client:
        answer = await client.recommend("42")
        try:
            await client.search("x", timeout=0.05)
        except RpcError as error:
            assert (await client.record(Event("42", "1214"))).recorded == 1
            return answer.items[0].title, error.status
    raise AssertionError("the search was answered")


def into_a_closed_pipe(address: str) -> tuple[int, bytes]:
    read, write = os.pipe()
    os.close(read)
    try:
        program = [sys.executable, "-m", "recmesh.cli", "--gateway", address, "status"]
        done = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    return done.returncode, done.stderr


class OverSocketsTest(TestCase):
    async def serve(self) -> str:
        handlers = Handlers()
        SilentSearch().register(handlers)
        server = await listen(reactor, "127.0.0.1:0", handlers)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.close()))
        return server.address

    async def test_twisted(self) -> None:
        ended = await with_twisted(await self.serve())
        assert ended == ("Alien (1979)", Status.DEADLINE_EXCEEDED)

    async def test_asyncio(self) -> None:
        ended = await deferToThread(asyncio.run, with_asyncio(await self.serve()))
        assert ended == ("Alien (1979)", Status.DEADLINE_EXCEEDED)

    async def test_blocking(self) -> None:
        ended = await deferToThread(with_blocking, await self.serve())
        assert ended == ("Alien (1979)", Status.DEADLINE_EXCEEDED)

    async def test_command(self) -> None:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            code = await deferToThread(cli.main, ["--gateway", await self.serve(), "recommend", "42"])
        assert code == 0
        assert "Alien (1979)" in shown.getvalue()

    async def test_command_whose_output_nobody_reads_ends_in_silence(self) -> None:
        ended = await deferToThread(into_a_closed_pipe, await self.serve())
        assert ended == (cli.FAILED, b"")

    async def test_where_nobody_listens_every_client_names_the_address(self) -> None:
        address = nobody()

        async def twisted() -> None:
            async with tx.Client(address) as client:
                await client.status()

        async def of_asyncio() -> None:
            async with aio.Client(address) as client:
                await client.status()

        for work in (
            Deferred.fromCoroutine(twisted()),
            deferToThread(asyncio.run, of_asyncio()),
            deferToThread(blocking.Client(address).status),
        ):
            with pytest.raises(RpcError, match=rf"no gateway can be reached at {address} \(") as caught:
                await work
            assert caught.value.status is Status.UNAVAILABLE
