"""A simulated process: calls cost time of one processor, and callers come whether or not it can keep up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.rpc import Call, Context, Processed, RpcError, Service
from recmesh.rpc.status import Status
from recmesh.testing import FakeClock
from recmesh.v1 import retrieval_pb2
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH

ANSWER = retrieval_pb2.SearchResponse(item_ids=["alien"])


class Processor:
    """Does one thing after another, `cost` seconds each; what nobody waits for any more is done all the same."""

    def __init__(self, clock: FakeClock, cost: float) -> None:
        self.cost = cost
        self.begun = 0
        self._clock = clock
        self._busy_until = 0.0

    async def __call__(self, call: Call) -> Message:
        self.begun += 1
        self._busy_until = max(self._busy_until, self._clock.seconds()) + self.cost
        await self._clock.sleep(self._busy_until - self._clock.seconds())
        return ANSWER


@dataclass
class Callers:
    """Send calls at random moments, `rate` of them a second, and give each `patience` seconds."""

    clock: FakeClock
    service: Service
    rng: random.Random
    patience: float = 1.0
    attempts: int = 1  # of a call that is refused; the next after the time the refusal names
    answered: list[tuple[float, float, int]] = field(default_factory=list)  # when, latency, criticality
    failed: list[tuple[float, str, int]] = field(default_factory=list)  # when, status, criticality
    open: int = 0

    def offer(self, rate: float, seconds: float, criticality: Callable[[], int] = lambda: 0) -> None:
        end = self.clock.seconds() + seconds
        while True:
            pause = self.rng.expovariate(rate)
            if self.clock.seconds() + pause > end:
                self.clock.advance(end - self.clock.seconds())
                return
            self.clock.advance(pause)
            self.send(criticality())

    def send(self, criticality: int = 0) -> None:
        self.open += 1
        Deferred.fromCoroutine(self._call(criticality))

    async def _call(self, criticality: int) -> None:
        begin = self.clock.seconds()
        try:
            await self.clock.within(
                self.patience, self._attempts(Context(begin + self.patience, criticality=criticality))
            )
            self.answered.append((self.clock.seconds(), self.clock.seconds() - begin, criticality))
        except RpcError as error:
            self.failed.append((self.clock.seconds(), Status(error.status).name, criticality))
        finally:
            self.open -= 1

    async def _attempts(self, context: Context) -> Message:
        attempt = 0
        while True:
            call = Call(RETRIEVAL_SEARCH, retrieval_pb2.SearchRequest(), context.repeated(attempt))
            try:
                return await self.service(call)
            except RpcError as error:
                attempt += 1
                if attempt >= self.attempts or error.processed is not Processed.REFUSED or not error.pushback_ms:
                    raise
                await self.clock.sleep(error.pushback_ms / 1000)

    def goodput(self, begin: float, end: float) -> float:
        """Calls answered in time, a second."""
        return sum(begin <= when < end for when, _, _ in self.answered) / (end - begin)

    def share_answered(self, begin: float, end: float, criticality: int = 0) -> float:
        answered = sum(begin <= when < end and rank == criticality for when, _, rank in self.answered)
        failed = sum(begin <= when < end and rank == criticality for when, _, rank in self.failed)
        return answered / (answered + failed)

    def latency(self, share: float, begin: float, end: float) -> float:
        """The latency within which that share of the answers came."""
        found = sorted(latency for when, latency, _ in self.answered if begin <= when < end)
        return found[int(share * (len(found) - 1))]
