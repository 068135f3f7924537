"""Lines of a log that a hostile peer could cause by the thousand: one a second at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recmesh.rpc.connection.base import Loop

EVERY = 1.0  # seconds


class Seldom:
    """Writes a line, or counts it for the next one that is written."""

    def __init__(self, loop: Loop, write: Callable[..., object]) -> None:
        self._loop = loop
        self._write = write
        self._next = float("-inf")
        self._left_out = 0

    def say(self, message: str, *arguments: Any) -> None:
        now = self._loop.seconds()
        if now < self._next:
            self._left_out += 1
            return
        more = f" (and {self._left_out} lines like this)" if self._left_out else ""
        self._next, self._left_out = now + EVERY, 0
        self._write(message + more, *arguments)
