"""Calls under Twisted: Clock, Endpoint to call with, listen and Server to answer with."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from twisted.internet.base import ReactorBase
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from recmesh.rpc.call import Call, Filter, Handlers
from recmesh.rpc.frames import Limits
from recmesh.rpc.status import Origin, Processed, RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire

T = TypeVar("T")


class Clock:
    """A reactor, or in tests a task.Clock, as a recmesh.rpc.Clock."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return self._reactor.seconds()

    def sleep(self, delay: float) -> Awaitable[None]:
        return deferLater(self._reactor, delay)

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        working = Deferred.fromCoroutine(work)
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            working.cancel()

        timer = self._reactor.callLater(max(0.0, delay), expire)
        try:
            return await working
        except CancelledError:
            if not expired:
                raise
            message = f"no answer within {delay:.3g} s"
            raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT) from None
        finally:
            if timer.active():
                timer.cancel()

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        running = [Deferred.fromCoroutine(each) for each in work]
        failures: list[Failure] = []
        won: Deferred[T] = Deferred(lambda _: _cancel(running))

        def succeeded(result: T) -> None:
            if not won.called:
                won.callback(result)

        def failed(failure: Failure) -> None:
            failures.append(failure)
            if len(failures) == len(running) and not won.called:
                won.errback(failure)

        for each in running:
            each.addCallbacks(succeeded, failed)
        try:
            return await won
        finally:
            _cancel(running)

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        running = [Deferred.fromCoroutine(each) for each in work]
        outcomes: list[Any] = [None] * len(running)
        left = len(running)
        done: Deferred[None] = Deferred(lambda _: _cancel(running))

        def settle(outcome: T | Failure, place: int) -> None:
            nonlocal left
            outcomes[place] = outcome.value if isinstance(outcome, Failure) else outcome
            left -= 1
            if not left and not done.called:
                done.callback(None)

        for place, each in enumerate(running):
            each.addBoth(settle, place)
        if left:
            await done
        return outcomes


def _cancel(running: Sequence[Deferred[Any]]) -> None:
    for each in running:
        each.cancel()


class Endpoint:
    """Is a Service: sends calls to one address, over one connection that is made at the first call and made again when lost."""

    def __init__(
        self,
        reactor: ReactorBase,
        address: str,
        *,
        limits: Limits = Limits(),
        node_id: str = "",
        connect_timeout: float = 2.0,
        chance: random.Random | None = None,
    ) -> None:
        self.address = address
        self.state = "idle"  # "connecting", "ready", "draining", "backing off"
        self.in_flight = 0
        self.peer: wire.Hello | None = None

    async def __call__(self, call: Call) -> Message:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Server:
    """Answers the calls of every client that connects to one address."""

    address: str  # host:port, the port really bound
    in_flight: int
    connections: int

    async def drain(self, grace: float, accept_for: float = 0.0) -> None:
        """Accepts for `accept_for` more seconds, then ends every connection once its calls are answered, after `grace` seconds at the latest."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ends every connection at once."""
        raise NotImplementedError


async def listen(
    reactor: ReactorBase,
    address: str,
    handlers: Handlers,
    *,
    filters: Sequence[Filter] = (),
    limits: Limits = Limits(),
    node_id: str = "",
) -> Server:
    """Serves `handlers`, behind `filters`; raises CannotListenError for a taken port. Port 0 takes any free one."""
    raise NotImplementedError
