"""What code that waits needs from an event loop.

`recmesh.rpc.tx`, `.aio` and `.blocking` each have a Clock that does this; so the same policy runs under all three,
and in tests under a clock that the test moves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Gate(Awaitable[None], Protocol):
    """What one coroutine awaits until another opens it."""

    def open(self) -> None:
        """Lets the waiting one go on. Opened twice, or when nobody waits any more, it stays open."""
        ...


class Clock(Protocol):
    """Time, and the things that need more than one coroutine at once."""

    def seconds(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, delay: float) -> Awaitable[None]: ...

    def gate(self) -> Gate:
        """A closed one, for one coroutine to await."""
        ...

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; after `delay` seconds `work` is cancelled and DEADLINE_EXCEEDED raised."""
        ...

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        """The first result; the rest is cancelled. If all fail, the last failure."""
        ...

    async def hedged(
        self, delay: float, work: Coroutine[Any, Any, T], backup: Callable[[], Coroutine[Any, Any, T] | None]
    ) -> T:
        """The result of `work`. If it has none after `delay` seconds, `backup()` is begun beside it, unless that is
        None: then the first result, and the other is cancelled; if both fail, the last failure."""
        ...

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        """Every outcome, in the order given; cancelled from outside, all of `work` is cancelled."""
        ...
