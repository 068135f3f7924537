"""A reactor's thread that turns only while a test waits, and what runs on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from recmesh.rpc import tx
from recmesh.rpc.status import RpcError, Status
from services.common.workers import Workers

T = TypeVar("T")

PATIENCE = 30.0  # seconds; only a thread that died lets a test wait so long


class Turning:
    """Runs what other threads hand over, as `reactor.callFromThread` does, in the thread of the test."""

    def __init__(self) -> None:
        self._given: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._given.put((function, arguments))

    def result(self, work: Awaitable[T]) -> T:
        """Turns until `work` has ended."""
        outcomes: list[Any] = []
        Deferred.fromCoroutine(_await(work)).addBoth(outcomes.append)
        while not outcomes:
            self.turn()
        if isinstance(outcomes[0], Failure):
            outcomes[0].raiseException()
        return outcomes[0]  # type: ignore[no-any-return]

    def turn(self) -> None:
        """Runs one thing that another thread handed over."""
        function, arguments = self._given.get(timeout=PATIENCE)
        function(*arguments)

    def refusal(self, work: Awaitable[Any], status: Status) -> str:
        """The message of the RpcError that `work` ends with."""
        with pytest.raises(RpcError) as caught:
            self.result(work)
        assert caught.value.status is status, caught.value
        return caught.value.message


async def _await(work: Awaitable[T]) -> T:
    return await work


def workers_at_once() -> Workers:
    """Workers that do each job in the calling thread."""
    return Workers(execute, tx.Clock(Clock()))
