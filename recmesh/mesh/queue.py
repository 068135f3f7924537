"""Queue: calls that found no place wait for one a short while, in an order that depends on how things are.

A burst that fits is answered first come, first served. Once the queue has not been empty for a while there are more
calls than can be answered: then the newest goes first, because the oldest has used up most of its time, and none waits
longer than a moment. Facebook's adaptive LIFO with controlled delay (Maurer, "Fail at Scale", 2015).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from recmesh.rpc import Clock, RpcError
from recmesh.rpc.clock import Gate

STANDING_SECONDS: Final = 0.1  # a queue that was empty within this time holds a burst
STANDING_PATIENCE: Final = 0.005  # seconds; in a queue that stands
STANDING_SHARE: Final = 0.25  # of the places in it; enough to take up each that is free, and most are refused cheaply


class Waiting:
    """A call that waits for a place."""

    __slots__ = ("admitted", "gate", "until")

    def __init__(self, gate: Gate, until: float) -> None:
        self.gate = gate
        self.until = until
        self.admitted = False  # it has its place, whether or not it has gone on yet


class Queue:
    """Calls of equal rank, in the order they came."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self._patience = patience  # seconds
        self._waiting: deque[Waiting] = deque()
        self._empty_at = clock.seconds()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def stands(self) -> bool:
        """There are more calls than can be answered, and not only for a moment."""
        return bool(self._waiting) and self._clock.seconds() - self._empty_at > STANDING_SECONDS

    def join(self, most: float, seconds: float) -> Waiting | None:
        """A place in the queue for at most `seconds`; None where `most` wait already, or few in a queue that stands."""
        stands, now = self.stands, self._clock.seconds()
        if len(self._waiting) >= (most * STANDING_SHARE if stands else most):
            return None
        if not self._waiting:
            self._empty_at = now
        patience = min(seconds, STANDING_PATIENCE if stands else self._patience)
        waiting = Waiting(self._clock.gate(), now + patience)
        self._waiting.append(waiting)
        return waiting

    async def wait(self, waiting: Waiting) -> None:
        """Ends when `waiting` is let in or refused, or when its time is up."""
        try:
            await self._clock.within(waiting.until - self._clock.seconds(), _passed(waiting.gate))
        except RpcError:
            pass  # its time is up, which `admitted` says as well
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self._note_if_empty()

    def next(self) -> Waiting | None:
        """Who is let in, taken out of the queue. Those whose time is up are sent away on the way."""
        while self._waiting:
            waiting = self._waiting.pop() if self.stands else self._waiting.popleft()
            self._note_if_empty()
            if self._clock.seconds() < waiting.until:
                return waiting
            waiting.gate.open()
        return None

    def _note_if_empty(self) -> None:
        if not self._waiting:
            self._empty_at = self._clock.seconds()


async def _passed(gate: Gate) -> None:
    await gate
