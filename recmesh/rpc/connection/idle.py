"""When a connection has not been used for long."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

from recmesh.rpc.connection.base import Alarm, Loop

LOOKS = 4  # within the time that it may be idle: a timestamp a call would be exact, and cost every call


class Used(Protocol):
    """A connection, as far as its use goes."""

    @property
    def in_flight(self) -> int: ...

    @property
    def activity(self) -> int:
        """Changes with each call that begins."""
        ...


class IdleWatch:
    """Looks at a connection now and then, and says once that no call began or went on for `seconds`, or a bit more."""

    def __init__(self, loop: Loop, connection: Used, seconds: float, idle: Callable[[], object]) -> None:
        self._connection = connection
        self._every = seconds / LOOKS
        self._idle = idle
        self._alarm = Alarm(loop)
        self._activity = connection.activity
        self._left = LOOKS
        self._wait()

    def stop(self) -> None:
        self._alarm.stop()

    def _wait(self) -> None:
        if self._every < inf:
            self._alarm.set(self._every, self._look)

    def _look(self) -> None:
        connection = self._connection
        used = connection.in_flight or connection.activity != self._activity
        self._activity = connection.activity
        self._left = LOOKS if used else self._left - 1
        if self._left:
            self._wait()
        else:
            self._idle()
