"""Calls under asyncio: Clock, and Endpoint to call with. Both belong to the loop that runs when they are used."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from types import ModuleType
from typing import Any, TypeVar, cast

from txaio import aio

from recmesh.rpc import endpoint, outlet
from recmesh.rpc.address import split_address
from recmesh.rpc.connection_client import ClientConnection
from recmesh.rpc.frames import DEFAULTS, Limits
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
        tasks = [_begun(work)]
        try:
            done, _ = await asyncio.wait(tasks, timeout=delay)
            more = None if done else backup()
            if more is not None:
                tasks.append(_begun(more))
            return await _first(tasks)
        finally:
            _cancel(tasks)

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        return await asyncio.gather(*work, return_exceptions=True)


def _begun(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.ensure_future(work)
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


class _Loop:
    """The running loop as a recmesh.rpc.connection.Loop."""

    def __init__(self) -> None:
        self.futures: ModuleType = aio

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    def call_later(self, delay: float, what: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay, what)


class Endpoint(endpoint.Endpoint):
    """Is a Service: sends calls to one address, over one connection, made at the first call and again when lost."""

    def __init__(
        self,
        address: str,
        *,
        limits: Limits = DEFAULTS,
        node_id: str = "",
        connect_timeout: float = endpoint.CONNECT_TIMEOUT,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(_Loop(), address, limits, node_id, connect_timeout, chance)
        self._host, self._port = split_address(address)
        self._attempt: asyncio.Task[None] | None = None

    def _dial(self) -> None:
        self._attempt = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                await loop.create_connection(lambda: _Protocol(self._opened), self._host, self._port)
        except TimeoutError:
            self._unreachable(f"no connection within {self._connect_timeout:g} s")
        except OSError as error:
            self._unreachable(str(error))

    def _hang_up(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()


class _Outlet(outlet.Outlet):
    """Writes to an asyncio transport, which itself sends at once what it can."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(asyncio.get_running_loop().call_soon)
        self._transport = transport
        self._linger: asyncio.TimerHandle | None = None

    def blocked(self) -> None:
        self._blocked = True

    def lost(self) -> None:
        super().lost()
        if self._linger is not None:
            self._linger.cancel()

    def _send(self, data: bytes) -> None:
        self._transport.write(data)

    def _finish(self, rest: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(rest)
        self._linger = asyncio.get_running_loop().call_later(outlet.LINGER, self._transport.abort)
        self._transport.write_eof()

    def _abort(self) -> None:
        self._transport.abort()


class _Protocol(asyncio.Protocol):
    """Hands the bytes of one asyncio transport to a connection."""

    def __init__(self, opened: Callable[[_Outlet], ClientConnection]) -> None:
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outlet = _Outlet(cast(asyncio.Transport, transport))
        self._connection = self._opened(self._outlet)

    def data_received(self, data: bytes) -> None:
        if not self._outlet.closed:  # else read and dropped, so that no reset overtakes the last words to the peer
            self._connection.data_received(data)

    def pause_writing(self) -> None:
        self._outlet.blocked()

    def resume_writing(self) -> None:
        self._outlet.unblocked()

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet.lost()
        self._connection.connection_lost(str(exc or "the server closed it"), self._outlet.why)
