"""Run: one request on its way through the stages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.degradation import in_order
from gateway.upstreams import Upstreams
from recmesh.rpc import Clock, Context, RpcError, Status

T = TypeVar("T")

STAGE_SHARE: Final = 0.4
"""Of the time left, for a stage the answer can do without: one that hangs must leave time for the rest."""

ANSWERS: Final = frozenset(
    {
        Status.INVALID_ARGUMENT,
        Status.NOT_FOUND,
        Status.ALREADY_EXISTS,
        Status.PERMISSION_DENIED,
        Status.FAILED_PRECONDITION,
        Status.OUT_OF_RANGE,
        Status.UNAUTHENTICATED,
    }
)
"""What a stage that is there and well says of a request. Any other failure means that the stage is away."""


class Run:
    """Which bundle version answers, how much time is left, and what the answer has to do without."""

    def __init__(
        self,
        upstreams: Upstreams,
        clock: Clock,
        context: Context,
        version: str,
        on_away: Callable[[str, RpcError], None] = lambda stage, error: None,
        quality: float = 1.0,
    ) -> None:
        self.upstreams = upstreams
        self.quality = quality  # of which optional work is to be
        self.clock = clock
        self.version = version
        self._context = context
        self._on_away = on_away
        self._lost = set[str]()

    @property
    def degraded(self) -> list[str]:
        return in_order(self._lost)

    def lacks(self, *stages: str) -> bool:
        """Whether one of these was away."""
        return not self._lost.isdisjoint(stages)

    def context(self, share: float = 1.0) -> Context:
        """For a call to a stage, which gets at most `share` of the time left."""
        now = self.clock.seconds()
        context = self._context.child(now)
        return context if context.deadline is None else context.by(now + share * (context.deadline - now))

    async def unless_away(self, stage: str, work: Awaitable[T]) -> T | None:
        """The stage's answer; None and a note in `degraded` when it is away."""
        try:
            return await work
        except RpcError as error:
            self.do_without(stage, error)
            return None

    def do_without(self, stage: str, error: RpcError) -> None:
        """Notes that the stage is away; raises what it answered if it is not."""
        if error.status in ANSWERS:
            raise RpcError(error.status, error.message) from error
        self.note(stage)
        self._on_away(stage, error)

    def note(self, loss: str) -> None:
        """The answer goes without this."""
        self._lost.add(loss)


def away(message: str, error: RpcError | None = None) -> RpcError:
    """For a request that cannot do without: the attempts are spent, so callers must not add theirs.

    A stage that is there and has no room for more says itself when to come back.
    """
    if error is not None and error.status is Status.RESOURCE_EXHAUSTED:
        return RpcError(error.status, message, pushback_ms=error.pushback_ms, details=error.details)
    return RpcError(Status.UNAVAILABLE, message, pushback_ms=-1)
