"""Scatter: one question to several shards side by side."""

from __future__ import annotations

import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from recmesh.mesh.failure import is_cancel
from recmesh.rpc import Clock, Origin, Processed, RpcError, Status

T = TypeVar("T")

PATIENCE: Final = 0.8
"""The share of the time left that is spent on waiting for all; the rest belongs to what is done with the answers."""


@dataclass(frozen=True, slots=True)
class Gathered(Generic[T]):
    """Every shard's outcome: it has an answer or a failure."""

    total: int
    answers: Mapping[int, T]  # by shard, in order
    failures: Mapping[int, RpcError]

    @property
    def answered(self) -> int:
        return len(self.answers)


async def scatter(
    clock: Clock,
    questions: Sequence[Coroutine[Any, Any, T]],
    deadline: float | None = None,
    patience: float = PATIENCE,
) -> Gathered[T]:
    """Ends when every question has its outcome, or once `patience` of the time to the deadline has passed and one has
    an answer, or at the deadline. What is unanswered then is cancelled.

    An exception other than RpcError is raised once all have ended. Cancelled from outside, every question is.
    """
    gathering = _Gathering[T](clock, len(questions), deadline, patience)
    if questions:
        asked = [gathering.ask(shard, question) for shard, question in enumerate(questions)]
        await clock.first(*asked, *gathering.alarms())
    return gathering.result()


class _GoesOnError(Exception):
    """One part of a scatter has ended, the whole has not."""


class _Gathering(Generic[T]):
    """The outcomes so far. Its coroutines run under `Clock.first`: one that returns ends them all, one that raises
    does not."""

    def __init__(self, clock: Clock, total: int, deadline: float | None, patience: float) -> None:
        self._clock = clock
        self._begin = clock.seconds()
        left = math.inf if deadline is None else max(0.0, deadline - self._begin)
        self._soft, self._hard = left * patience, left
        self._total = total
        self._answers: dict[int, T] = {}
        self._failures: dict[int, Exception] = {}

    async def ask(self, shard: int, question: Coroutine[Any, Any, T]) -> None:
        try:
            self._answers[shard] = await question
        except Exception as error:
            if is_cancel(error):
                raise
            self._failures[shard] = error
        self._go_on_unless_enough()

    def alarms(self) -> list[Coroutine[Any, Any, None]]:
        return [self._alarm(delay) for delay in (self._soft, self._hard) if delay < math.inf]

    async def _alarm(self, delay: float) -> None:
        await self._clock.sleep(delay)
        self._go_on_unless_enough()

    def _go_on_unless_enough(self) -> None:
        waited = self._clock.seconds() - self._begin
        all_ended = len(self._answers) + len(self._failures) == self._total
        if not (all_ended or waited >= self._hard or (waited >= self._soft and self._answers)):
            raise _GoesOnError

    def result(self) -> Gathered[T]:
        failures = dict[int, RpcError]()
        for shard in range(self._total):
            error = self._failures.get(shard)
            if error is not None and not isinstance(error, RpcError):
                raise error
            if shard not in self._answers:
                failures[shard] = error or self._late()
        return Gathered(self._total, dict(sorted(self._answers.items())), failures)

    def _late(self) -> RpcError:
        message = f"no answer within {self._clock.seconds() - self._begin:.3f} s"
        return RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT)
