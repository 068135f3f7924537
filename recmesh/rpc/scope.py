"""What belongs to the handler that runs: its context, and the calls made on its behalf."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # `call` sets what is kept here
    from recmesh.rpc.call import Context

T = TypeVar("T")

log = logging.getLogger(__name__)


class Scope:
    """One running handler. Cancelled, it cancels the calls that were begun under it, awaited or not."""

    __slots__ = ("_children", "_idle", "_keys", "_shielded", "cancelled", "context", "futures", "seconds")

    def __init__(self, context: Context, seconds: Callable[[], float], futures: ModuleType) -> None:
        self.context = context
        self.seconds = seconds
        self.futures = futures  # txaio.tx or txaio.aio
        self.cancelled = False
        self._keys = 0
        self._children: dict[int, Callable[[], object]] = {}
        self._shielded = 0
        self._idle: Callable[[], object] | None = None

    def began(self, cancel: Callable[[], object]) -> int:
        """A key for `ended`. Under a handler that was cancelled, nothing may begin that is not shielded."""
        self._keys += 1
        self._children[self._keys] = cancel
        return self._keys

    def ended(self, key: int) -> None:
        self._children.pop(key, None)

    def cancel(self) -> None:
        while self._children:
            _, cancel = self._children.popitem()
            cancel()

    def when_idle(self, then: Callable[[], object]) -> None:
        """Calls `then` when no shielded work is left: at once, if there is none."""
        if self._shielded:
            self._idle = then
        else:
            then()

    async def shield(self, work: Coroutine[Any, Any, T]) -> T:
        waiting = self.futures.create_future()

        def settle(done: Callable[[Any, Any], object], outcome: Any) -> None:
            self._shielded -= 1
            if not self.futures.is_called(waiting):
                done(waiting, outcome)
            elif done is reject:
                log.error("shielded work failed after its handler was cancelled", exc_info=outcome.value)
            if not self._shielded and self._idle is not None:
                then, self._idle = self._idle, None
                then()

        resolve, reject = self.futures.resolve, self.futures.reject
        self._shielded += 1
        variables = copy_context()
        variables.run(current.set, Scope(self.context, self.seconds, self.futures))
        working = variables.run(self.futures.as_future, lambda: work)
        self.futures.add_callbacks(
            working,
            lambda result: settle(resolve, result),
            lambda failure: settle(reject, failure),
        )
        result: T = await waiting
        return result


current: ContextVar[Scope | None] = ContextVar("recmesh.rpc.scope", default=None)
"""The scope of the handler that runs. A coroutine keeps it; a callback added to a Deferred by hand does not."""


def inherited() -> Context | None:
    """For a call on behalf of the handler that runs: its trace and criticality, and a little less than its time."""
    scope = current.get()
    return None if scope is None else scope.context.child(scope.seconds())


async def shield(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which goes on to its end although the handler that awaits it is cancelled.

    For a write that must finish once begun. The call keeps its place among those in flight until then. Outside of a
    handler nobody cancels on a caller's behalf, and `work` is awaited as it is.
    """
    scope = current.get()
    return await (work if scope is None else scope.shield(work))
