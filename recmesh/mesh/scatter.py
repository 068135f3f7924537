"""Scatter: one question to several shards side by side.

It protects the one who asks from the slowest and from the missing shard: most of an answer in time is worth more than
all of it late. How much is enough is the quorum; Dean and Barroso, "The Tail at Scale" (2013), call it good enough.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from recmesh.mesh.failure import is_cancel
from recmesh.mesh.hedge import Hedges, tally
from recmesh.rpc import Clock, Origin, Processed, RpcError, Status
from recmesh.rpc.race import race

T = TypeVar("T")

PATIENCE: Final = 0.8
"""The share of the time left that is spent on waiting for all; the rest belongs to what is done with the answers."""

QUORUM: Final = 0.75  # of the shards: with less, what is missing shows


@dataclass(frozen=True, slots=True)
class Gathered(Generic[T]):
    """Every shard's outcome: it has an answer or a failure."""

    total: int
    answers: Mapping[int, T]  # by shard, in order
    failures: Mapping[int, RpcError]
    hedged: int = 0  # copies of questions that were sent because a shard was slow

    @property
    def answered(self) -> int:
        return len(self.answers)


async def scatter(
    clock: Clock,
    questions: Sequence[Coroutine[Any, Any, T]],
    deadline: float | None = None,
    patience: float = PATIENCE,
    quorum: float = QUORUM,
) -> Gathered[T]:
    """Ends when every question has its outcome, or once `patience` of the time to the deadline has passed and a
    `quorum` (0: one) has answered, or at the deadline. What is unanswered then is cancelled.

    UNAVAILABLE, naming the shards, as soon as too few can answer for a quorum; with a quorum of 0 never. An exception
    other than RpcError is raised in the end. Cancelled from outside, every question is.
    """
    gathering = _Gathering[T](clock, len(questions), deadline, patience, quorum)
    if questions:
        asked = clock.first(*(gathering.ask(shard, question) for shard, question in enumerate(questions)))
        if deadline is None:
            await asked
        else:
            await clock.hedged(gathering.soft, asked, gathering.out_of_patience)
    return gathering.result()


class _GoesOnError(Exception):
    """One part of a scatter has ended, the whole has not."""


class _Gathering(Generic[T]):
    """The outcomes so far. Its coroutines run under `Clock.first`: one that returns ends them all, one that raises
    does not."""

    def __init__(self, clock: Clock, total: int, deadline: float | None, patience: float, quorum: float) -> None:
        self._clock = clock
        self._begin = clock.seconds()
        left = math.inf if deadline is None else max(0.0, deadline - self._begin)
        self.soft, self._rest = left * patience, left * (1 - patience)
        self._patient = True  # until the soft deadline
        self._total = total
        self._needed = math.ceil(quorum * total)
        self._answers: dict[int, T] = {}
        self._failures: dict[int, Exception] = {}
        self._hedges = Hedges()

    async def ask(self, shard: int, question: Coroutine[Any, Any, T]) -> None:
        tally.set(self._hedges)
        race.set(None)  # a shard that is late has not lost against a copy of its own
        try:
            self._answers[shard] = await question
        except Exception as error:
            if is_cancel(error):
                raise
            self._failures[shard] = error
        if not self._enough():
            raise _GoesOnError

    async def out_of_patience(self) -> None:
        """From the soft deadline on. That it ends first ends everything."""
        self._patient = False
        if not self._enough() and self._rest:
            await self._clock.sleep(self._rest)

    def _enough(self) -> bool:
        answered, failed = len(self._answers), len(self._failures)
        if answered + failed == self._total or self._total - failed < self._needed:
            return True
        return not self._patient and answered >= max(1, self._needed)

    def result(self) -> Gathered[T]:
        failures = dict[int, RpcError]()
        for shard in range(self._total):
            error = self._failures.get(shard)
            if error is not None and not isinstance(error, RpcError):
                raise error
            if shard not in self._answers:
                failures[shard] = error or self._late()
        if len(self._answers) < self._needed:
            raise self._too_few(failures)
        return Gathered(self._total, dict(sorted(self._answers.items())), failures, self._hedges.sent)

    def _too_few(self, failures: Mapping[int, RpcError]) -> RpcError:
        named = "; ".join(f"shard {shard}: {error}" for shard, error in failures.items())
        message = f"{len(self._answers)} of {self._total} shards answered, and {self._needed} are needed: {named}"
        # The attempts were made a shard; whoever is further up must not add theirs.
        return RpcError(Status.UNAVAILABLE, message, processed=Processed.MAYBE, origin=Origin.CLIENT, pushback_ms=-1)

    def _late(self) -> RpcError:
        message = f"no answer within {self._clock.seconds() - self._begin:.3f} s"
        return RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT)
