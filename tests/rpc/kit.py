"""What the tests of the runtime share: a small service, and a real listener on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from recmesh.rpc import Channel, Context, Handlers, RpcError, Status, frames
from recmesh.rpc.tx import Server, listen
from recmesh.testing import Wire, frames_of
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HEALTH_CHECK, HealthBase, HealthStub
from recmesh.wire.v1 import wire_pb2 as wire

reactor: Any = installed
PATH = HEALTH_CHECK.path
SERVING = pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVING)


def ask(service: str = "") -> pb.HealthCheckRequest:
    return pb.HealthCheckRequest(service=service)


class Health(HealthBase):
    """Answers at once, but for some names: "wait" until `release`, "fail", "refuse", "wrong"."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.contexts: list[Context] = []
        self.cancelled = 0
        self.waiting: list[Deferred[None]] = []

    async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        self.asked.append(request.service)
        self.contexts.append(context)
        if request.service == "wait":
            await self._wait()
        elif request.service == "fail":
            raise KeyError("a secret")
        elif request.service == "refuse":
            raise RpcError(Status.NOT_FOUND, "no such service", pushback_ms=-1)
        elif request.service == "wrong":
            return pb.HealthCheckRequest()  # type: ignore[return-value]
        return SERVING

    async def watch(self, request: pb.HealthCheckRequest, context: Context) -> AsyncIterator[pb.HealthCheckResponse]:
        yield await self.check(request, context)

    async def _wait(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.waiting.append(waiting)
        try:
            await waiting
        except BaseException:
            self.cancelled += 1
            raise

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    def handlers(self) -> Handlers:
        handlers = Handlers()
        self.register(handlers)
        return handlers


def stub(service: Any) -> HealthStub:
    return HealthStub(Channel(service))


def statuses(line: Wire) -> list[wire.CallStatus]:
    """The STATUS frames on their way to the client."""
    data = bytes(line.down.written)
    return [wire.CallStatus.FromString(meta) for kind, _, _, meta, _ in frames_of(data) if kind == frames.STATUS]


def cancels(line: Wire) -> list[int]:
    """Why, for every CANCEL on its way to the server."""
    data = bytes(line.up.written)
    return [wire.Cancel.FromString(meta).why for kind, _, _, meta, _ in frames_of(data) if kind == frames.CANCEL]


async def failure_of(work: Awaitable[object]) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await work
    return caught.value


async def until(happened: Callable[[], object]) -> None:
    """Turns the reactor until `happened`; the test's own timeout bounds it."""
    while not happened():
        await deferLater(reactor, 0.001)


class Loopback(TestCase):
    """Real sockets on loopback; trial checks that nothing is left in the reactor."""

    timeout = 20

    async def serve(self, health: Health, **options: Any) -> Server:
        server = await listen(reactor, "127.0.0.1:0", health.handlers(), **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.close()))
        return server
