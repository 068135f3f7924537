"""What the tests of the policies share: scripted services, calls, and results that may still be missing."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from recmesh.mesh.balancer import Replica
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Call, Context, Processed, RpcError, Status
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


class Script:
    """A service that answers from a script; it also stands for an endpoint."""

    def __init__(self, *answers: Message | Exception | Deferred[Message], state: str = "ready") -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []
        self.state = state

    async def __call__(self, call: Call) -> Message:
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return await answer if isinstance(answer, Deferred) else answer


def replica(name: str, *answers: Message | Exception | Deferred[Message], state: str = "ready") -> Replica:
    return Replica(EndpointAddress(name, f"{name}:7200"), Script(*answers, state=state))


def never() -> Deferred[Any]:
    """Resolves when it is told to; `called` says that it was, or that it was cancelled."""
    return Deferred()


class Outcome(Generic[T]):
    """The result of work that goes on: there, or not yet."""

    def __init__(self, work: Awaitable[T]) -> None:
        self._results: list[Any] = []
        self.deferred: Deferred[T] = Deferred.fromCoroutine(_await(work))
        self.deferred.addBoth(self._results.append)

    @property
    def pending(self) -> bool:
        return not self._results

    def cancel(self) -> None:
        self.deferred.cancel()

    def result(self) -> T:
        [result] = self._results
        if isinstance(result, Failure):
            result.raiseException()
        value: T = result
        return value

    def error(self) -> RpcError:
        [result] = self._results
        assert isinstance(result, Failure) and isinstance(result.value, RpcError), result
        return result.value


async def _await(work: Awaitable[T]) -> T:
    return await work


class Recorder:
    """Keeps what is observed, by the name of the metric."""

    def __init__(self) -> None:
        self.observed: dict[str, list[tuple[float, Mapping[str, str]]]] = {}

    def histogram(self, name: str, help_text: str, *labels: str) -> Series:
        return Series(self.observed.setdefault(name, []), labels)


class Series:
    def __init__(self, observed: list[tuple[float, Mapping[str, str]]], labels: tuple[str, ...]) -> None:
        self._observed = observed
        self._labels = labels

    def observe(self, value: float, *values: str) -> None:
        self._observed.append((value, dict(zip(self._labels, values, strict=True))))


class Log:
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, message: str, **fields: Any) -> None:
        self.lines.append({"message": message, **fields})
