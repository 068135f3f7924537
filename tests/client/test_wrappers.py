"""The three clients: the same calls, each with the types of its way of waiting, and no more imports than it needs."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from types import ModuleType
from typing import Any, assert_type

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as TwistedClock

from recmesh.client import (
    Event,
    Item,
    ItemsDeleted,
    ItemsPut,
    MeshStatus,
    Recommendations,
    Recorded,
    RpcError,
    SearchResults,
    SimilarItems,
    UserDeleted,
    UserHistory,
    aio,
    blocking,
    core,
    tx,
)
from tests.client.fake import FakeClock, FakeEndpoint

ADDRESS = "127.0.0.1:7000"


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (aio, blocking):
        monkeypatch.setattr(module, "Endpoint", FakeEndpoint)
        monkeypatch.setattr(module, "Clock", FakeClock)
    monkeypatch.setattr(tx, "Endpoint", lambda reactor, address, **options: FakeEndpoint(address))


def calls(client: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("module", [aio, tx, blocking])
def test_every_client_has_the_same_calls(module: ModuleType) -> None:
    expected = {name: list(signature.parameters.values()) for name, signature in calls(core.Client).items()}
    assert {name: list(each.parameters.values()) for name, each in calls(module.Client).items()} == expected
    assert len(expected) == 11


def test_the_signatures_say_what_comes_back() -> None:
    assert calls(blocking.Client)["recommend"].return_annotation == "values.Recommendations"
    assert calls(tx.Client)["recommend"].return_annotation == "Deferred[values.Recommendations]"
    assert all(method.__doc__ for method in (tx.Client.record, blocking.Client.record, aio.Client.record))


def test_the_clients_are_made_alike() -> None:
    given = list(inspect.signature(aio.Client).parameters.values())
    assert list(inspect.signature(blocking.Client).parameters.values()) == given
    assert list(inspect.signature(tx.Client).parameters.values())[:-1] == given


def test_blocking_gives_results() -> None:
    with blocking.Client(ADDRESS, timeout=1.0, tenant="shop") as client:
        assert_type(client.recommend("42", count=3), Recommendations)
        assert_type(client.similar("1214"), SimilarItems)
        assert_type(client.search("space"), SearchResults)
        assert_type(client.record(Event("42", "1214")), Recorded)
        assert_type(client.put_items([Item("1")]), ItemsPut)
        assert_type(client.delete_items(["1"]), ItemsDeleted)
        assert_type(client.delete_user("42"), UserDeleted)
        assert_type(client.history("42"), UserHistory)
        assert_type(client.status(), MeshStatus)
        assert client.recommend("42").items[0].id == "1214"
        assert_type(client.watch("42"), Iterator[Recommendations])


def test_asyncio_gives_coroutines() -> None:
    async def work() -> Recommendations:
        async with aio.Client(ADDRESS, timeout=1.0, tenant="shop") as client:
            assert_type(await client.similar("1214"), SimilarItems)
            assert_type(await client.search("space"), SearchResults)
            assert_type(await client.record(Event("42", "1214")), Recorded)
            assert_type(await client.put_items(Item("1")), ItemsPut)
            assert_type(await client.delete_items("1"), ItemsDeleted)
            assert_type(await client.delete_user("42"), UserDeleted)
            assert_type(await client.history("42"), UserHistory)
            assert_type(await client.status(), MeshStatus)
            assert_type(client.watch("42"), AsyncIterator[Recommendations])
            return await assert_type(client.recommend("42"), Coroutine[Any, Any, Recommendations])

    assert asyncio.run(work()).items[0].id == "1214"


def made(client: tx.Client) -> tuple[Deferred[Recommendations], Deferred[Recorded], Deferred[MeshStatus]]:
    return (
        assert_type(client.recommend("42"), Deferred[Recommendations]),
        assert_type(client.record(Event("42", "1214")), Deferred[Recorded]),
        assert_type(client.status(), Deferred[MeshStatus]),
    )


def test_twisted_gives_deferreds() -> None:
    client = tx.Client(ADDRESS, timeout=1.0, tenant="shop", reactor=TwistedClock())
    results: list[Any] = []
    for each in made(client):
        each.addCallback(results.append)
    recommendations, recorded, status = results
    assert recommendations.items[0].id == "1214" and recorded.recorded == 1 and status.serving


def test_under_twisted_a_coroutine_may_use_the_client() -> None:
    async def work() -> Recommendations:
        async with tx.Client(ADDRESS, reactor=TwistedClock()) as client:
            return await client.recommend("42")

    results: list[Any] = []
    Deferred.fromCoroutine(work()).addCallback(results.append)
    assert results[0].items[0].id == "1214"


def test_an_error_arrives_in_each_world() -> None:
    with pytest.raises(RpcError):
        blocking.Client(ADDRESS).similar("no such item")
    with pytest.raises(RpcError):
        asyncio.run(aio.Client(ADDRESS).similar("no such item"))
    failures: list[Any] = []
    client = tx.Client(ADDRESS, reactor=TwistedClock())
    client.similar("no such item").addErrback(failures.append)
    assert failures[0].check(RpcError)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("recmesh.client.blocking", ("twisted", "numpy", "asyncio", "recmesh.rpc.aio", "recmesh.rpc.tx")),
        ("recmesh.cli", ("twisted", "numpy", "asyncio", "recmesh.rpc.aio", "recmesh.rpc.tx")),
        ("recmesh.client.aio", ("twisted", "numpy", "recmesh.rpc.tx")),
        ("recmesh.client.tx", ("twisted.internet.reactor", "numpy", "recmesh.rpc.aio")),
    ],
)
def test_a_client_imports_no_more_than_it_needs(module: str, unwanted: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print([name for name in {unwanted!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")
