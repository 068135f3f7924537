"""Jobs in threads: bounded, on time, and counted until they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from recmesh.rpc import tx
from recmesh.rpc.status import Processed, RpcError, Status
from services.common.workers import MOST_WAITING, Workers


class Threads:
    """Threads that begin a job when the test says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.jobs: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self.workers = Workers(self.take, tx.Clock(self.clock))

    def take(self, work: Callable[[], Any]) -> Deferred[Any]:
        self.jobs.append((Deferred(), work))
        return self.jobs[-1][0]

    def do_next(self) -> None:
        done, work = self.jobs.pop(0)
        try:
            done.callback(work())
        except RpcError as error:
            done.errback(error)

    def run(self, work: Callable[[], Any], deadline: float | None = None) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.workers.run(work, deadline))


def result(done: Deferred[Any]) -> Any:
    outcomes: list[Any] = []
    done.addBoth(outcomes.append)
    [outcome] = outcomes
    return getattr(outcome, "value", outcome)


def test_a_job_gives_its_result() -> None:
    threads = Threads()
    done = threads.run(lambda: 7)
    threads.do_next()
    assert result(done) == 7 and threads.workers.unfinished == 0


def test_a_job_is_not_begun_after_its_deadline() -> None:
    threads, begun = Threads(), list[int]()
    done = threads.run(lambda: begun.append(1), deadline=1.0)
    threads.clock.advance(1.0)
    threads.do_next()
    assert result(done).status is Status.DEADLINE_EXCEEDED and not begun


def test_waiting_jobs_are_bounded() -> None:
    threads = Threads()
    for _ in range(MOST_WAITING):
        threads.run(lambda: None)
    refused = result(threads.run(lambda: None))
    assert refused.status is Status.UNAVAILABLE and refused.processed is Processed.REFUSED
    assert refused.pushback_ms is not None and len(threads.jobs) == MOST_WAITING
    threads.do_next()
    threads.run(lambda: None)
    assert len(threads.jobs) == MOST_WAITING


def test_who_gives_up_is_free_at_once_and_the_job_counts_until_it_ends() -> None:
    threads = Threads()
    done = threads.run(lambda: 7)
    done.cancel()
    assert isinstance(result(done), CancelledError) and threads.workers.unfinished == 1
    threads.do_next()
    assert threads.workers.unfinished == 0


def test_an_error_of_a_job_reaches_its_caller() -> None:
    threads = Threads()

    def fail() -> None:
        raise RpcError(Status.INTERNAL, "no")

    done = threads.run(fail)
    threads.do_next()
    with pytest.raises(RpcError, match="no"):
        raise result(done)
    assert threads.workers.unfinished == 0
