"""One connection under whichever loop owns it: what the end that calls and the end that answers share.

The session turns bytes into events; here they meet time (handshake, keepalive, deadlines) and a transport to write to.
client and answers add the calls. Futures come from `txaio.tx` or `txaio.aio`, as the Loop says.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from math import inf
from types import ModuleType
from typing import Any, Protocol

from recmesh.rpc.frames import ProtocolError
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.events import Broken, Greeted, Ponged, Reply
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire

HANDSHAKE_TIMEOUT = 3.0  # seconds to HELLO: longer than a slow network takes, short enough that nobody parks sockets
KEEPALIVE_AFTER = 20.0  # seconds without a received byte before a PING: under the idle timeouts of most middleboxes
KEEPALIVE_TIMEOUT = 5.0  # seconds for any byte to follow the PING
KEEPALIVE_PING = b"alive?  "


class Timer(Protocol):
    """Something that happens later unless it is cancelled before."""

    def cancel(self) -> object: ...


class Loop(Protocol):
    """The event loop that owns a connection."""

    futures: ModuleType  # txaio.tx or txaio.aio
    tasks: bool  # a coroutine may ask which task runs it, so that no step of it is taken outside of one

    def seconds(self) -> float: ...

    def call_later(self, delay: float, what: Callable[[], object]) -> Timer: ...

    # For what every call needs; txaio's own takes longer.

    def future(self) -> Any: ...

    def settle(self, future: Any, result: object) -> None:
        """Gives the future its result, unless it was cancelled."""
        ...


class Alarm:
    """A timer that is set, rings or is stopped, and may be set again."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._timer: Timer | None = None

    @property
    def is_set(self) -> bool:
        return self._timer is not None

    def set(self, delay: float, what: Callable[[], object]) -> None:
        self.stop()
        self._timer = self._loop.call_later(max(0.0, delay), lambda: self._ring(what))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, what: Callable[[], object]) -> None:
        self._timer = None
        what()


class Transport(Protocol):
    """Where a connection's bytes go."""

    on_room: Callable[[], object]  # called when bytes that waited have left

    @property
    def room(self) -> int:
        """Bytes that those may write who can wait for more; `write` itself takes any number."""
        ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Ends the connection when all that was written has left, or soon after if the peer does not read."""
        ...

    def abort(self) -> None:
        """Ends the connection at once."""
        ...


class Deadlines:
    """Many deadlines behind one timer: a timer a call would cost more than the rest of its bookkeeping."""

    SLACK = 1_024  # entries of ended calls kept before they are swept out; they cost memory, not time

    def __init__(self, loop: Loop, alive: Mapping[int, object], expire: Callable[[int], None]) -> None:
        self._loop = loop
        self._alive = alive  # by id, whatever still waits; entries of others are skipped
        self._expire = expire
        self._heap: list[tuple[float, int]] = []
        self._most = self.SLACK
        self._alarm = Alarm(loop)
        self._due = inf  # when the alarm rings

    def add(self, deadline: float, call_id: int) -> None:
        heap = self._heap
        heappush(heap, (deadline, call_id))
        if deadline < self._due:
            self._arm()
        if len(heap) > self._most:
            self._sweep()

    def stop(self) -> None:
        self._heap.clear()
        self._alarm.stop()
        self._due = inf

    def _sweep(self) -> None:
        alive = self._alive
        self._heap = [entry for entry in self._heap if entry[1] in alive]
        heapify(self._heap)
        self._most = self.SLACK + 2 * len(self._heap)

    def _arm(self) -> None:
        self._due = self._heap[0][0]
        self._alarm.set(self._due - self._loop.seconds(), self._ring)

    def _ring(self) -> None:
        now = max(self._due, self._loop.seconds())  # loops ring a rounding error too early
        self._due = inf
        while self._heap and (self._heap[0][0] <= now or self._heap[0][1] not in self._alive):
            _, call_id = heappop(self._heap)
            if call_id in self._alive:
                self._expire(call_id)
        if self._heap and self._heap[0][0] < self._due:
            self._arm()


class Connection(abc.ABC):
    """Bytes to events, the handshake and keepalive timers, and the end; for both kinds of connection."""

    __slots__ = (  # of an idle connection a dictionary of so many names would be an eighth
        "_heard",
        "_loop",
        "_on",
        "_session",
        "_transport",
        "_waiters",
        "_waiting",
        "_watch",
        "_why_ended",
        "ended",
        "since",
    )

    def __init__(self, loop: Loop, transport: Transport, session: Session) -> None:
        self.ended = False
        self._loop = loop
        self._transport = transport
        self._session = session
        self._why_ended = ""  # set when this end knows more than the transport will say
        self.since = self._heard = loop.seconds()
        self._waiting = session.waiting  # by id, what calls have to send and may not yet
        self._waiters: dict[int, Any] = {}  # by call, futures of those who have more to send of a stream
        transport.on_room = self._push
        self._watch = Alarm(loop)
        self._watch.set(HANDSHAKE_TIMEOUT, self._no_hello)
        self._on: dict[type[Any], Callable[[Any], object]] = {
            Greeted: self._on_greeted,
            Ponged: self._on_ponged,
            Reply: self._on_reply,
            Broken: self._on_broken,
        }

    @property
    def peer(self) -> wire.Hello | None:
        return self._session.peer

    @property
    def activity(self) -> int:
        """Changes with each call that begins."""
        return self._session.last_id

    def data_received(self, data: bytes) -> None:
        self._heard = now = self._loop.seconds()
        for event in self._session.receive(data, now):
            self._on[type(event)](event)
        if self._session.ready:
            self._push()

    def connection_lost(self, reason: str, ours: str = "") -> None:
        """To be called once, when the transport has closed; `ours` is why it was closed here, if it was."""
        self.ended = True
        self._watch.stop()
        self._why_ended = self._why_ended or ours
        self._session.broken = True  # it takes no calls any more
        self._session.release()
        self._on_end(self._why_ended or reason)

    def fail(self, error: ProtocolError) -> None:
        """Tells the peer what it did wrong, and closes."""
        self._transport.write(self._session.fail(error))
        self._on_broken(Broken(error))

    # What is sent.

    def _write(self, data: bytes) -> None:
        """Sends what a session gave, and what it lets go by that."""
        if data:
            self._transport.write(data)
        if self._waiting and self._session.ready:
            self._push()

    def _push(self) -> None:
        """Sends of what waits as much as there is room for, and lets those go on who waited for that."""
        session, transport = self._session, self._transport
        while session.ready and transport.room > 0:
            transport.write(session.pull(transport.room))
        for call_id in session.emptied():
            self._go_on(call_id)

    async def _sent(self, call_id: int) -> None:
        """Waits until nothing of the call waits for credit or its turn."""
        while self._session.waits(call_id):
            waiting = self._waiters[call_id] = self._loop.futures.create_future()
            try:
                await waiting
            finally:
                self._waiters.pop(call_id, None)

    def _go_on(self, call_id: int) -> None:
        waiting = self._waiters.pop(call_id, None)
        if waiting is not None and not self._loop.futures.is_called(waiting):
            self._loop.futures.resolve(waiting)

    # What happens.

    @abc.abstractmethod
    def _on_end(self, reason: str) -> None:
        """The transport has closed."""

    def _on_greeted(self, event: Greeted) -> None:
        self._watch.set(KEEPALIVE_AFTER, self._check_alive)

    def _on_ponged(self, event: Ponged) -> None:  # noqa: B027 - that bytes came is all a keepalive wants to know
        """A PING of this end was answered."""

    def _on_reply(self, event: Reply) -> None:
        self._transport.write(event.data)

    def _on_broken(self, event: Broken) -> None:
        self._why_ended = f"the peer broke the protocol: {event.error.reason}"
        self._transport.close()

    def _no_hello(self) -> None:
        self.fail(ProtocolError(f"no HELLO within {HANDSHAKE_TIMEOUT:g} s", Status.DEADLINE_EXCEEDED))

    def _check_alive(self) -> None:
        silent = self._loop.seconds() - self._heard
        if silent < KEEPALIVE_AFTER - 0.001:
            self._watch.set(KEEPALIVE_AFTER - silent, self._check_alive)
            return
        heard = self._heard
        self._transport.write(self._session.ping(KEEPALIVE_PING))
        self._watch.set(KEEPALIVE_TIMEOUT, lambda: self._check_answer(heard))

    def _check_answer(self, heard: float) -> None:
        if self._heard > heard:
            self._check_alive()
            return
        self._why_ended = f"no byte for {KEEPALIVE_AFTER + KEEPALIVE_TIMEOUT:g} s, and a PING was not answered"
        self._transport.abort()
