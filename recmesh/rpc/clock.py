"""What code that waits needs from an event loop.

`recmesh.rpc.tx`, `.aio` and `.blocking` each have a Clock that does this; so the same policy runs under all three,
and in tests under a clock that the test moves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Time, and the things that need more than one coroutine at once."""

    def seconds(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, delay: float) -> Awaitable[None]: ...

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; after `delay` seconds `work` is cancelled and DEADLINE_EXCEEDED raised."""
        ...

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        """The first result; the rest is cancelled. If all fail, the last failure."""
        ...

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        """Every outcome, in the order given; cancelled from outside, all of `work` is cancelled."""
        ...
