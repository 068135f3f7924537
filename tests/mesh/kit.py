"""What the tests of the policies share: scripted services, calls, and results that may still be missing."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh import testing
from recmesh.mesh.balancer import Balancer, LeastCost
from recmesh.mesh.ejection import Ejection
from recmesh.mesh.replica import Replica
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Call, Clock, Context, Processed, RpcError, Status
from recmesh.v1 import feedback_pb2, retrieval_pb2
from recmesh.v1.feedback_rpc import FEEDBACK_APPEND
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH

T = TypeVar("T")

FOUND = retrieval_pb2.SearchResponse(item_ids=["alien"])
LOST = RpcError(Status.UNAVAILABLE, "connection lost", processed=Processed.MAYBE)
UNREACHABLE = RpcError(Status.UNAVAILABLE, "connection refused", processed=Processed.NOT_SENT)
REFUSED = RpcError(Status.UNAVAILABLE, "too busy", processed=Processed.REFUSED)


def search(deadline: float | None = None, **context: Any) -> Call:
    """A call of a read-only method."""
    return Call(RETRIEVAL_SEARCH, retrieval_pb2.SearchRequest(), Context(deadline, **context))


def append(deadline: float | None = None) -> Call:
    """A call of an idempotent method that writes."""
    return Call(FEEDBACK_APPEND, feedback_pb2.AppendRequest(), Context(deadline))


class Script(testing.Script):
    """A scripted service that also stands for an endpoint."""

    def __init__(self, *answers: Message | Exception | Deferred[Message], state: str = "ready") -> None:
        super().__init__(*answers)
        self.state = state


class Connected:
    """An endpoint that ends its calls at their deadline, as every connection does."""

    def __init__(self, clock: Clock, service: Script) -> None:
        self._clock = clock
        self._service = service

    @property
    def state(self) -> str:
        return self._service.state

    async def __call__(self, call: Call) -> Message:
        deadline = call.context.deadline
        if deadline is None:
            return await self._service(call)
        return await self._clock.within(deadline - self._clock.seconds(), self._service(call))


def replica(
    name: str,
    *answers: Message | Exception | Deferred[Message],
    state: str = "ready",
    ejection: Ejection | None = None,
    seconds: Callable[[], float] = lambda: 0.0,
) -> Replica:
    endpoint = Script(*answers, state=state)
    health = (ejection or Ejection(random.Random(1))).admit(seconds())
    return Replica(EndpointAddress(name, f"{name}:7200"), endpoint, endpoint, health, seconds)


def balancer(*replicas: Replica, seconds: Callable[[], float] = lambda: 0.0) -> Balancer:
    made = Balancer("retrieval", seconds, LeastCost(random.Random(1)))
    made.use(replicas)
    return made


def never() -> Deferred[Any]:
    """Resolves when it is told to; `called` says that it was, or that it was cancelled."""
    return Deferred()


class Outcome(testing.Begun[T]):
    """The result of work that goes on: there, or not yet."""

    def __init__(self, work: Awaitable[T]) -> None:
        super().__init__(_await(work))

    @property
    def pending(self) -> bool:
        return not self.done

    def error(self) -> RpcError:
        with pytest.raises(RpcError) as caught:
            self.result()
        return caught.value


async def _await(work: Awaitable[T]) -> T:
    return await work


class Recorder:
    """Keeps what is observed, by the name of the metric."""

    def __init__(self) -> None:
        self.observed: dict[str, list[tuple[float, Mapping[str, str]]]] = {}
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Gauge] = {}

    def counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return self.counters.setdefault(name, Counter())

    def gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return self.gauges.setdefault(name, Gauge())

    def histogram(self, name: str, help_text: str, *labels: str) -> Series:
        return Series(self.observed.setdefault(name, []), labels)


class Series:
    def __init__(self, observed: list[tuple[float, Mapping[str, str]]], labels: tuple[str, ...]) -> None:
        self._observed = observed
        self._labels = labels

    def observe(self, value: float, *values: str) -> None:
        self._observed.append((value, dict(zip(self._labels, values, strict=True))))


class Counter:
    """What was counted, by the values of the labels."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], float] = {}
        self.sources: dict[tuple[str, ...], Callable[[], float]] = {}

    def add(self, amount: float, *values: str) -> None:
        self.counts[values] = self.counts.get(values, 0) + amount

    def ask(self, source: Callable[[], float], *values: str) -> None:
        self.sources[values] = source

    def value(self, *values: str) -> float:
        return self.sources[values]()


class Gauge:
    """Who is asked, by the values of the labels."""

    def __init__(self) -> None:
        self.sources: dict[tuple[str, ...], Callable[[], float]] = {}

    def ask(self, source: Callable[[], float], *values: str) -> None:
        self.sources[values] = source

    def forget(self, *values: str) -> None:
        self.sources.pop(values, None)

    def value(self, *values: str) -> float:
        return self.sources[values]()


class Log:
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, message: str, **fields: Any) -> None:
        self.lines.append({"message": message, **fields})

    def warning(self, message: str, **fields: Any) -> None:
        self.lines.append({"message": message, **fields})
