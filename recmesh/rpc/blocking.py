"""Calls without an event loop: Clock, an Endpoint over a plain socket, and `run`. No thread is started.

Coroutines written for a loop run here too, because nothing they await suspends: a call returns when it is answered.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from google.protobuf.message import Message

from recmesh.rpc.address import split_address
from recmesh.rpc.call import Call
from recmesh.rpc.clock import Gate
from recmesh.rpc.connection import HANDSHAKE_TIMEOUT, KEEPALIVE_AFTER, KEEPALIVE_PING, KEEPALIVE_TIMEOUT
from recmesh.rpc.endpoint import CONNECT_TIMEOUT
from recmesh.rpc.events import Broken, GoingAway, Reply, StatusReceived, Withdrawn
from recmesh.rpc.frames import DEFAULTS, Limits
from recmesh.rpc.headers import FAR, ended_here, given_up, header_of, refused, reply_of
from recmesh.rpc.session_client import ClientSession, unsent
from recmesh.rpc.status import RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire

READ_SIZE = 65_536  # bytes; larger reads cost more than they save
LEAVE_TIMEOUT = 1.0  # seconds for a few bytes that nobody waits for, when the server does not read

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
    """Is a Service: a call returns when it is answered. One call at a time; threads take an Endpoint each."""

    def __init__(
        self,
        address: str,
        *,
        limits: Limits = DEFAULTS,
        node_id: str = "",
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.address = address
        self._host, self._port = split_address(address)
        self._limits = limits
        self._node_id = node_id
        self._connect_timeout = connect_timeout
        self._line: _Line | None = None
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
        if not self._busy.acquire(blocking=False):
            raise unsent(Status.FAILED_PRECONDITION, "this client is in use; give each thread its own")
        try:
            return self._connected(call.context.deadline).call(call)
        finally:
            self._busy.release()

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.leave()

    def _connected(self, deadline: float | None) -> _Line:
        if self._line is not None and not self._line.still_usable():
            self._line = None
        if self._line is None:
            self._line = _Line(self._dial(deadline), ClientSession(self._limits, self._node_id))
        return self._line

    def _dial(self, deadline: float | None) -> socket.socket:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise unsent(Status.DEADLINE_EXCEEDED, "the deadline had passed before the call was sent")
        timeout = self._connect_timeout if left is None else min(left, self._connect_timeout)
        try:
            return socket.create_connection((self._host, self._port), timeout)
        except TimeoutError:
            if timeout == left:
                raise unsent(Status.DEADLINE_EXCEEDED, f"no connection to {self.address} by the deadline") from None
            message = f"{self.address} cannot be reached: no connection within {timeout:g} s"
            raise unsent(Status.UNAVAILABLE, message) from None
        except OSError as error:
            raise unsent(Status.UNAVAILABLE, f"{self.address} cannot be reached: {error}") from None


class _Line:
    """One connection."""

    def __init__(self, sock: socket.socket, session: ClientSession) -> None:
        self.session = session
        self._socket = sock
        self._first = session.hello()  # leaves together with the first call
        self._since = self._heard = time.monotonic()
        self._pinged = False
        self._outcomes: dict[int, StatusReceived | RpcError] = {}
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, call: Call) -> Message:
        now, deadline = time.monotonic(), call.context.deadline
        if deadline is not None and deadline - now >= FAR:
            deadline = None  # further than a socket can wait
        call_id, data = self.session.call(header_of(call, now), call.request.SerializeToString())
        first, self._first = self._first, b""
        self._heard, self._pinged = now, False  # nothing was listened for between calls
        try:
            self._send(first + data, deadline)
            while call_id not in self._outcomes:
                self._take(self._read(call_id, deadline), deadline)
        except TimeoutError:  # maybe in the middle of a frame
            self.drop()
            raise ended_here(Status.DEADLINE_EXCEEDED, "no answer by the deadline") from None
        except OSError as error:
            self.drop()
            raise ended_here(Status.UNAVAILABLE, f"the connection was lost: {error}") from None
        except BaseException:  # KeyboardInterrupt
            self.drop()
            raise
        outcome = self._outcomes.pop(call_id)
        if isinstance(outcome, RpcError):
            raise outcome
        return reply_of(call, outcome)

    def still_usable(self) -> bool:
        """Takes what has come since the last call: a PING, GOAWAY, the end."""
        try:
            while self.session.takes_calls:
                self._socket.settimeout(0)
                data = self._socket.recv(READ_SIZE)
                if not data:
                    break
                self._take(data, time.monotonic() + LEAVE_TIMEOUT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        self.drop()
        return False

    def leave(self) -> None:
        with suppress(OSError):
            self._send(self.session.goaway(0, reason="the client leaves"), time.monotonic() + LEAVE_TIMEOUT)
        self.drop()

    def drop(self) -> None:
        self.session.broken = True
        self._socket.close()

    def _send(self, data: bytes, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        self._socket.sendall(data)

    def _read(self, call_id: int, deadline: float | None) -> bytes:
        """The next bytes, or none yet; ConnectionError when the server has gone."""
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            self._send(self.session.cancel(call_id, wire.Cancel.DEADLINE), now + LEAVE_TIMEOUT)
            self._outcomes[call_id] = ended_here(Status.DEADLINE_EXCEEDED, "no answer by the deadline")
            return b""
        patience = self._patience(now)
        if patience <= 0:
            self._pinged = True
            self._send(self.session.ping(KEEPALIVE_PING), now + KEEPALIVE_TIMEOUT)
            patience = KEEPALIVE_TIMEOUT
        self._socket.settimeout(patience if deadline is None else min(patience, deadline - now))
        try:
            data = self._socket.recv(READ_SIZE)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionError("the server closed it")
        self._heard, self._pinged = time.monotonic(), False
        return data

    def _patience(self, now: float) -> float:
        """Seconds until silence means something: 0 when a PING is due, ConnectionError when one was not answered."""
        if self.session.peer is None:
            left = self._since + HANDSHAKE_TIMEOUT - now
            if left <= 0:
                raise ConnectionError(f"no HELLO within {HANDSHAKE_TIMEOUT:g} s")
            return left
        left = self._heard + KEEPALIVE_AFTER - now
        if not self._pinged:
            return max(0.0, left)
        if left + KEEPALIVE_TIMEOUT <= 0:
            raise ConnectionError("a PING was not answered")
        return left + KEEPALIVE_TIMEOUT

    def _take(self, data: bytes, until: float | None) -> None:
        """What follows from `data`; an answer to it, or the rest of a request, must have left `until` then."""
        for event in self.session.receive(data, time.monotonic()):
            if isinstance(event, StatusReceived):
                self._outcomes[event.call_id] = event
            elif isinstance(event, Withdrawn):
                self._outcomes[event.call_id] = given_up()
            elif isinstance(event, GoingAway):
                self._outcomes.update({call_id: refused(event.reason) for call_id in event.refused})
            elif isinstance(event, Reply):
                self._send(event.data, until)
            elif isinstance(event, Broken):
                raise ConnectionError(f"the peer broke the protocol: {event.error.reason}")
