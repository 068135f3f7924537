"""One connection of the blocking client: a plain socket, read only while somebody waits for an answer."""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from recmesh.rpc.call import Call
from recmesh.rpc.connection.base import HANDSHAKE_TIMEOUT, KEEPALIVE_AFTER, KEEPALIVE_PING, KEEPALIVE_TIMEOUT
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import Broken, Event, GoingAway, MessageReceived, Reply, StatusReceived, Withdrawn
from recmesh.rpc.session.headers import FAR, ended_here, given_up, header_of, refused
from recmesh.rpc.status import RpcError, Status
from recmesh.wire.v1 import wire_pb2 as wire

READ_SIZE = 65_536  # bytes; larger reads cost more than they save
PUSH_SIZE = 1 << 20  # bytes of waiting messages put into one send
LEAVE_TIMEOUT = 1.0  # seconds for a few bytes that nobody waits for, when the server does not read

Outcome: TypeAlias = StatusReceived | RpcError


class Exchange:
    """One call, as its caller reads it."""

    def __init__(self, call_id: int, deadline: float | None) -> None:
        self.call_id = call_id
        self.deadline = deadline
        self.messages: deque[bytes] = deque()
        self.outcome: Outcome | None = None


class Line:
    """Several calls may be open, and the events of all are taken while one waits; there is one thread."""

    def __init__(self, sock: socket.socket, session: ClientSession) -> None:
        self.session = session
        self._socket = sock
        self._first = session.hello()  # leaves together with the first call
        self._since = self._heard = time.monotonic()
        self._pinged = False
        self._exchanges: dict[int, Exchange] = {}

    def begin(self, call: Call) -> Exchange:
        now, deadline = time.monotonic(), call.context.deadline
        if deadline is not None and deadline - now >= FAR:
            deadline = None  # further than a socket can wait
        request = b"" if call.requests is not None else call.request.SerializeToString()
        call_id, data = self.session.call(header_of(call, now), request, call.method.kind)
        exchange = self._exchanges[call_id] = Exchange(call_id, deadline)
        first, self._first = self._first, b""
        self._heard, self._pinged = now, False  # nothing was listened for between calls
        with self._losing_calls(exchange):
            self._send(first + data, deadline)
            self._push(deadline)
        return exchange

    def wait(self, exchange: Exchange) -> bytes | Outcome:
        """The next message; when there are no more, how the call ended."""
        with self._losing_calls(exchange):
            while not exchange.messages and exchange.outcome is None:
                self._take(self._read(exchange), exchange.deadline)
        if exchange.messages:
            return exchange.messages.popleft()
        assert exchange.outcome is not None
        return exchange.outcome

    def send(self, exchange: Exchange, message: bytes) -> None:
        """Returns when the server has room for another, or has ended the call."""
        self.session.check_size(message)
        with self._losing_calls(exchange):
            self._send(self.session.message(exchange.call_id, message), exchange.deadline)
            self._push(exchange.deadline)
            while self.session.waits(exchange.call_id) and exchange.outcome is None:
                self._take(self._read(exchange), exchange.deadline)

    def end(self, exchange: Exchange) -> None:
        with self._losing_calls(exchange):
            self._send(self.session.end(exchange.call_id), exchange.deadline)

    def took(self, exchange: Exchange, size: int) -> None:
        with self._losing_calls(exchange):
            self._send(self.session.took(exchange.call_id, size), time.monotonic() + LEAVE_TIMEOUT)

    def leave_call(self, exchange: Exchange) -> None:
        """Nobody waits for it any more."""
        self._exchanges.pop(exchange.call_id, None)
        unread = sum(len(message) for message in exchange.messages)
        data = self.session.cancel(exchange.call_id, wire.Cancel.CALLER) if exchange.outcome is None else b""
        with suppress(OSError):
            self._send(data + self.session.took(exchange.call_id, unread), time.monotonic() + LEAVE_TIMEOUT)
        self._drop_if_done()

    def still_usable(self) -> bool:
        """Takes what has come without waiting: a PING, GOAWAY, messages, the end."""
        try:
            while self.session.takes_calls or self._exchanges:
                self._socket.settimeout(0)
                data = self._socket.recv(READ_SIZE)
                if not data:
                    break
                self._take(data, time.monotonic() + LEAVE_TIMEOUT)
        except (BlockingIOError, ssl.SSLWantReadError):
            if self.session.takes_calls:
                return True
            self._drop_if_done()
        except OSError as error:
            self._lose(ended_here(Status.UNAVAILABLE, f"the connection was lost: {error}"))
        else:
            self._lose(ended_here(Status.UNAVAILABLE, "the connection was lost: the server closed it"))
        return False

    def leave(self) -> None:
        with suppress(OSError):
            self._send(self.session.goaway(0, reason="the client leaves"), time.monotonic() + LEAVE_TIMEOUT)
        self.drop()

    def drop(self) -> None:
        self.session.release()
        self.session.broken = True
        self._socket.close()

    def _drop_if_done(self) -> None:
        if not (self.session.takes_calls or self._exchanges):
            self.drop()

    @contextmanager
    def _losing_calls(self, exchange: Exchange) -> Iterator[None]:
        """When the socket fails, or does not take in time what is to be sent, the connection is over for all calls."""
        try:
            yield
        except TimeoutError:  # maybe in the middle of a frame
            self._lose(ended_here(Status.UNAVAILABLE, "the connection was lost: the server does not read"))
            exchange.outcome = ended_here(Status.DEADLINE_EXCEEDED, "no answer by the deadline")
        except OSError as error:
            self._lose(ended_here(Status.UNAVAILABLE, f"the connection was lost: {error}"))
        except BaseException:  # KeyboardInterrupt
            self._lose(ended_here(Status.CANCELLED, "the client was interrupted"))
            raise

    def _lose(self, error: RpcError) -> None:
        self.drop()
        for exchange in self._exchanges.values():
            exchange.outcome = exchange.outcome or error

    def _send(self, data: bytes, deadline: float | None) -> None:
        if not data:
            return
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        self._socket.sendall(data)

    def _push(self, deadline: float | None) -> None:
        while self.session.ready:
            self._send(self.session.pull(PUSH_SIZE), deadline)
        self.session.emptied()

    def _read(self, exchange: Exchange) -> bytes:
        """The next bytes, or none yet; ConnectionError when the server has gone."""
        now, deadline = time.monotonic(), exchange.deadline
        if deadline is not None and now >= deadline:
            self._send(self.session.cancel(exchange.call_id, wire.Cancel.DEADLINE), now + LEAVE_TIMEOUT)
            exchange.outcome = ended_here(Status.DEADLINE_EXCEEDED, "no answer by the deadline")
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
            if isinstance(event, Reply):
                self._send(event.data, until)
            elif isinstance(event, Broken):
                raise ConnectionError(f"the peer broke the protocol: {event.error.reason}")
            else:
                self._note(event)
        self._push(until)

    def _note(self, event: Event) -> None:
        if isinstance(event, StatusReceived):
            self._end(event.call_id, event)
        elif isinstance(event, MessageReceived):
            exchange = self._exchanges.get(event.call_id)
            if exchange is not None:
                exchange.messages.append(event.payload)
        elif isinstance(event, Withdrawn):
            self._end(event.call_id, given_up())
        elif isinstance(event, GoingAway):
            for call_id in event.refused:
                self._end(call_id, refused(event.reason))

    def _end(self, call_id: int, outcome: Outcome) -> None:
        exchange = self._exchanges.get(call_id)
        if exchange is not None:
            exchange.outcome = outcome
