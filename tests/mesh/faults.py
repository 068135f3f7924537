"""Fault schedules: endpoints that do to each attempt what a schedule says, and what has to hold whatever it says."""

from __future__ import annotations

import gc
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import strategies as st
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import implementer

from recmesh.mesh.breaker import Breaker
from recmesh.mesh.budget import Budget
from recmesh.mesh.hedge import Hedge
from recmesh.mesh.retry import Retry
from recmesh.mesh.throttle import Throttle
from recmesh.mesh.timeout import Deadline
from recmesh.rpc import Call, Context, Method, Origin, Processed, RpcError, Service, Status, stack
from recmesh.testing import FakeClock
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.kit import FOUND

UNSAFE, IDEMPOTENT, READING = (
    Method(f"/x.X/{name}", SearchRequest, SearchResponse, idempotent=idempotent, read_only=read_only)
    for name, idempotent, read_only in (("Do", False, False), ("Put", True, False), ("Get", True, True))
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of one attempt."""

    after: float = 0.0  # seconds
    status: Status = Status.OK
    processed: Processed = Processed.MAYBE
    pushback_ms: int | None = None

    @property
    def reaches_a_handler(self) -> bool:
        return self.processed not in (Processed.NOT_SENT, Processed.REFUSED)


GOOD = Fault()
STATUSES = (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.INTERNAL, Status.UNKNOWN)

failures = st.builds(
    Fault,
    after=st.sampled_from([0.0, 0.001, 0.05, 0.3, 2.0]),
    status=st.sampled_from(STATUSES),
    processed=st.sampled_from(Processed),
    pushback_ms=st.none() | st.integers(-1, 300),
)
slow = st.builds(Fault, after=st.sampled_from([0.0, 0.01, 0.3, 0.7, 3.0]))
schedules = st.lists(failures | slow, max_size=12)


class World:
    """A few endpoints behind all policies of a caller.

    An attempt goes to the first endpoint that its call has not been to, and meets what is next in the schedule, then
    `at_last`. As a connection does, an endpoint ends a call at its deadline.
    """

    def __init__(
        self,
        schedule: Iterable[Fault] = (),
        at_last: Fault = GOOD,
        seed: int = 1,
        endpoints: int = 3,
        clock: FakeClock | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.rng = random.Random(seed)
        self.budget = Budget(self.clock)
        self.breaker = Breaker(self.clock, most_in_flight=8, most_queued=2)
        self.hedge = Hedge(self.clock, self.budget)
        self.attempts = 0
        self.in_flight = 0
        self.ran = Counter[str]()  # by the call's name, how many handlers saw it
        self.service = self.behind_policies(self.endpoint)
        self._names = [f"endpoint {number}" for number in range(endpoints)]
        self.schedule: Iterator[Fault] = iter(schedule)
        self._at_last = at_last

    def behind_policies(self, service: Service) -> Service:
        return stack(
            Throttle(self.clock, self.rng),
            Deadline(self.clock, 5.0),
            self.breaker,
            Retry(self.clock, self.rng, self.budget),
            self.hedge,
            Deadline(self.clock, 0.5),
            to=service,
        )

    def call(self, method: Method[Any, Any], name: str = "", deadline: float | None = None) -> Call:
        return Call(method, SearchRequest(), Context(deadline, {"name": name}))

    def run_out(self, seconds: float = 60.0) -> None:
        """Lets time pass until nothing more would happen."""
        until = self.clock.seconds() + seconds
        while self.clock.timers:
            assert self.clock.seconds() < until, "something goes on and on"
            self.clock.advance(max(0.0, min(each.getTime() for each in self.clock.timers) - self.clock.seconds()))

    def assert_quiet(self) -> None:
        assert not self.clock.timers
        assert (self.in_flight, self.breaker.in_flight, self.breaker.queued) == (0, 0, 0)

    async def endpoint(self, call: Call) -> Message:
        call.tried.add(next((name for name in self._names if name not in call.tried), self._names[0]))
        fault = next(self.schedule, self._at_last)
        self.attempts += 1
        self.in_flight += 1
        try:
            self.ran[str(call.context.metadata.get("name"))] += fault.reaches_a_handler
            await self._pass(fault.after, call)
            if fault.status:
                raise RpcError(fault.status, "scheduled", processed=fault.processed, pushback_ms=fault.pushback_ms)
            return FOUND
        finally:
            self.in_flight -= 1

    async def _pass(self, seconds: float, call: Call) -> None:
        left = seconds if call.context.deadline is None else call.context.deadline - self.clock.seconds()
        if seconds:
            await self.clock.sleep(min(seconds, left))
        if left < seconds:
            message = "no answer by the deadline"
            raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT)


@pytest.fixture
def nothing_unhandled() -> Iterator[None]:
    """No failure is left in a Deferred that nobody looks at."""
    seen: list[Any] = []

    @implementer(ILogObserver)
    def observe(event: Any) -> None:
        if "log_failure" in event:
            seen.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    try:
        yield
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert not seen
