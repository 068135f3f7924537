"""The messages of a stream between the connection that receives them and the coroutine that reads them."""

from __future__ import annotations

from collections import deque
from types import ModuleType
from typing import Any, Generic, TypeVar

E = TypeVar("E")


class Inbox(Generic[E]):
    """Messages in order, then how the stream ended. Bounded by the window that the peer was given, not here."""

    __slots__ = ("_end", "_ended", "_futures", "_messages", "_waiting")

    def __init__(self, futures: ModuleType) -> None:
        self._futures = futures
        self._messages: deque[bytes] = deque()
        self._end: E | None = None
        self._ended = False
        self._waiting: Any = None  # a future of the reader, while there is nothing to read

    def put(self, message: bytes) -> None:
        self._messages.append(message)
        self._wake()

    def end(self, how: E) -> None:
        """After the messages that are there; the first end counts."""
        if not self._ended:
            self._ended, self._end = True, how
            self._wake()

    def clear(self) -> int:
        """Drops what nobody will read; its bytes."""
        size = sum(len(message) for message in self._messages)
        self._messages.clear()
        return size

    async def take(self) -> bytes | E:
        """The next message; when there are no more, how the stream ended."""
        while not self._messages:
            if self._ended:
                end: Any = self._end
                return end  # type: ignore[no-any-return]
            self._waiting = self._futures.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._messages.popleft()

    def _wake(self) -> None:
        if self._waiting is not None and not self._futures.is_called(self._waiting):
            self._futures.resolve(self._waiting)
