"""Watching: which pages come, and what a lost gateway does to them."""

from __future__ import annotations

from collections import deque

import pytest

from recmesh.client import RpcError, Status
from recmesh.rpc.blocking import run
from tests.client.bench import Bench
from tests.client.fake import FakeGateway


async def pages(bench: Bench, most: int) -> list[list[str]]:
    seen: list[list[str]] = []
    async for answer in bench.client.watch("42", count=3):
        seen.append([item.id for item in answer.items])
        if len(seen) == most:
            break
    return seen


def watched(bench: Bench) -> deque[list[str]]:
    gateway = bench.endpoints[0].gateway
    assert isinstance(gateway, FakeGateway)
    return gateway.watched


def test_a_watch_gives_pages_that_are_news() -> None:
    bench = Bench()
    run(bench.client.status())
    watched(bench).append(["42", "42", "nobody", "42"])
    seen = run(pages(bench, 3))
    assert seen[0] == seen[2] != seen[1]


def test_a_watch_goes_on_when_its_gateway_is_lost() -> None:
    bench = Bench()
    run(bench.client.status())
    watched(bench).extend([["42", "away"], ["away"], ["42", "nobody"]])
    assert len(run(pages(bench, 2))) == 2
    assert bench.clock.now > 100.0


def test_a_watch_that_never_began_fails() -> None:
    bench = Bench()
    run(bench.client.status())
    watched(bench).extend([["away"]] * 3)  # one an attempt
    with pytest.raises(RpcError) as caught:
        run(pages(bench, 1))
    assert caught.value.status is Status.UNAVAILABLE
