"""The running asyncio loop as the Clock that policies wait on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextvars import Context, copy_context
from typing import Any, TypeVar

from recmesh.rpc.race import Race, race
from recmesh.rpc.status import Origin, Processed, RpcError, Status

T = TypeVar("T")


class Gate:
    """A recmesh.rpc.clock.Gate."""

    def __init__(self) -> None:
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._opened.__await__()

    def open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)


class Clock:
    """The running loop as a recmesh.rpc.Clock."""

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    def sleep(self, delay: float) -> Awaitable[None]:
        return asyncio.sleep(delay)

    def gate(self) -> Gate:
        return Gate()

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        limit = asyncio.timeout(delay)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            message = f"no answer within {delay:.3g} s"
            raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT) from None

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        tasks = [_begun(each) for each in work]
        try:
            return await _first(tasks)
        finally:
            _cancel(tasks)

    async def hedged(
        self, delay: float, work: Coroutine[Any, Any, T], backup: Callable[[], Coroutine[Any, Any, T] | None]
    ) -> T:
        variables, copies = copy_context(), Race()
        variables.run(race.set, copies)
        tasks = [_begun(work, variables)]
        try:
            done, _ = await asyncio.wait(tasks, timeout=delay)
            more = None if done else backup()
            if more is not None:
                tasks.append(_begun(more, variables))
            reply = await _first(tasks)
            copies.won = True
            return reply
        finally:
            _cancel(tasks)

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        return await asyncio.gather(*work, return_exceptions=True)


def _begun(work: Coroutine[Any, Any, T], variables: Context | None = None) -> asyncio.Task[T]:
    task = asyncio.get_running_loop().create_task(work, context=variables)
    task.add_done_callback(_seen)
    return task


async def _first(tasks: Sequence[asyncio.Task[T]]) -> T:
    for done in asyncio.as_completed(tasks):
        try:
            return await done
        except Exception as error:
            failure = error
    raise failure


def _cancel(tasks: Sequence[asyncio.Task[T]]) -> None:
    for each in tasks:
        each.cancel()


def _seen(task: asyncio.Future[Any]) -> None:
    """Else the failure of one that lost the race would be logged as never retrieved."""
    if not task.cancelled():
        task.exception()
