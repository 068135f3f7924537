"""Calls without an event loop: Clock, an Endpoint over a plain socket, and `run`. No thread is started.

Coroutines written for a loop run here too, because nothing they await suspends: a call returns when it is answered.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from google.protobuf.message import Message

from recmesh.rpc.address import split_address, unix_path
from recmesh.rpc.blocking.line import Exchange, Line, Outcome
from recmesh.rpc.call import ENDED, Call
from recmesh.rpc.clock import Gate
from recmesh.rpc.endpoint import CONNECT_TIMEOUT
from recmesh.rpc.frames import DEFAULTS, Limits
from recmesh.rpc.session.client import ClientSession, unsent
from recmesh.rpc.session.events import StatusReceived
from recmesh.rpc.session.headers import check, decoded, reply_of
from recmesh.rpc.status import RpcError, Status
from recmesh.rpc.tls import Tls, TlsError
from recmesh.rpc.tls.files import Identity, identity_of
from recmesh.rpc.tls.stream import check_peer
from recmesh.wire.v1 import wire_pb2 as wire

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that awaits nothing but what is in this module."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise RuntimeError(f"{work!r} waits for an event loop, and here is none")


def each(stream: AsyncIterator[T]) -> Iterator[T]:
    """What an async iterator gives that awaits nothing but what is in this module; leaving the loop closes it."""
    try:
        while True:
            try:
                reply = run(_next(stream))
            except StopAsyncIteration:
                return
            yield reply
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            run(close())


async def _next(stream: AsyncIterator[T]) -> T:
    return await stream.__anext__()


class Clock:
    """Real time as a recmesh.rpc.Clock, one thing after another."""

    def seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, delay: float) -> None:
        time.sleep(max(0.0, delay))

    def gate(self) -> Gate:
        raise RuntimeError("nobody could open it: here one thing is done after another")

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which cannot be interrupted: it keeps the time by the deadlines of its calls."""
        return await work

    async def hedged(
        self, delay: float, work: Coroutine[Any, Any, T], backup: Callable[[], Coroutine[Any, Any, T] | None]
    ) -> T:
        """The result of `work`: nothing can be begun beside it."""
        return await work

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        left = list(work)
        try:
            while True:
                try:
                    return await left.pop(0)
                except Exception:
                    if not left:
                        raise
        finally:
            for each in left:
                each.close()

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        outcomes: list[T | BaseException] = []
        for each in work:
            try:
                outcomes.append(await each)
            except Exception as error:
                outcomes.append(error)
        return outcomes


class Endpoint:
    """Is a Service: a call returns when it is answered. One call at a time; threads take an Endpoint each.

    The address is "host:port" or "unix:/path"; ValueError for anything else. A stream is read as its loop goes on, and
    other calls may be made in between. One that is left unread for 25 seconds is lost: nothing answers the server then.
    """

    def __init__(
        self,
        address: str,
        *,
        limits: Limits = DEFAULTS,
        node_id: str = "",
        connect_timeout: float = CONNECT_TIMEOUT,
        tls: Tls | Identity | None = None,
    ) -> None:
        self.address = address
        self._path = unix_path(address)
        self._host, self._port = ("", 0) if self._path else split_address(address)
        self._identity = identity_of(tls, server=False)
        self._limits = limits
        self._node_id = node_id
        self._connect_timeout = connect_timeout
        self._line: Line | None = None
        self._busy = threading.Lock()

    @property
    def state(self) -> str:
        return "idle" if self._line is None else "ready"

    @property
    def in_flight(self) -> int:
        return int(self._busy.locked())

    @property
    def peer(self) -> wire.Hello | None:
        return self._line.session.peer if self._line is not None else None

    async def __call__(self, call: Call) -> Message:
        with self._alone():
            line = self._connected(call.context.deadline)
            exchange = line.begin(call)
        try:
            outcome = await self._stream(call, line, exchange) if call.streams else self._wait(line, exchange)
        finally:
            line.leave_call(exchange)
        if isinstance(outcome, RpcError):
            raise outcome
        assert isinstance(outcome, StatusReceived)
        if call.replies is None:
            return reply_of(call, outcome)
        check(call, outcome)
        return ENDED

    async def _stream(self, call: Call, line: Line, exchange: Exchange) -> bytes | Outcome:
        """Sends a request whenever no reply is there, and waits for replies when all are sent."""
        requests = call.requests
        while True:
            if requests is not None and exchange.outcome is None and not self._poll(line, exchange):
                request = await anext(requests, None)
                with self._alone():
                    if request is None:
                        requests = None
                        line.end(exchange)
                    else:
                        line.send(exchange, request.SerializeToString())
                continue
            got = self._wait(line, exchange)
            if not isinstance(got, bytes):
                return got
            try:
                if call.replies is not None:
                    await call.replies.send(decoded(call, got))
            finally:
                with self._alone():
                    line.took(exchange, len(got))

    def _wait(self, line: Line, exchange: Exchange) -> bytes | Outcome:
        with self._alone():
            return line.wait(exchange)

    def _poll(self, line: Line, exchange: Exchange) -> bool:
        """Whether a reply is there, or the end."""
        if not exchange.messages:
            with self._alone():
                line.still_usable()
        return bool(exchange.messages) or exchange.outcome is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise unsent(Status.FAILED_PRECONDITION, "this client is in use; give each thread its own")
        try:
            yield
        finally:
            self._busy.release()

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.leave()

    def _connected(self, deadline: float | None) -> Line:
        if self._line is not None and not self._line.still_usable():
            self._line = None
        if self._line is None:
            self._line = Line(self._dial(deadline), ClientSession(self._limits, self._node_id))
        return self._line

    def _dial(self, deadline: float | None) -> socket.socket:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise unsent(Status.DEADLINE_EXCEEDED, "the deadline had passed before the call was sent")
        timeout = self._connect_timeout if left is None else min(left, self._connect_timeout)
        try:
            return self._connect(timeout)
        except TimeoutError:
            if timeout == left:
                raise unsent(Status.DEADLINE_EXCEEDED, f"no connection to {self.address} by the deadline") from None
            message = f"{self.address} cannot be reached: no connection within {timeout:g} s"
            raise unsent(Status.UNAVAILABLE, message) from None
        except (OSError, ValueError, TlsError) as error:  # the second for a name that no host can have
            raise unsent(Status.UNAVAILABLE, f"{self.address} cannot be reached: {error}") from None

    def _connect(self, timeout: float) -> socket.socket:
        if self._path:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            sock = socket.create_connection((self._host, self._port), timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.settimeout(timeout)
            if self._path:
                sock.connect(self._path)
            if self._identity is None:
                return sock
            secure = self._identity.context().wrap_socket(sock, server_hostname=self._host or None)
        except BaseException:
            sock.close()
            raise
        try:
            check_peer(self._identity, secure)
        except TlsError:
            secure.close()
            raise
        return secure
