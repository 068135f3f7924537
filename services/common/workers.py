"""Threads for work that would hold up the reactor: over 2 ms of CPU, or waiting for the disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from recmesh.ops.process import Process
from recmesh.rpc.clock import Clock
from recmesh.rpc.status import Origin, Processed, RpcError, Status

T = TypeVar("T")

THREADS: Final = 2  # NumPy and FAISS release the interpreter's lock; more threads than cores only take turns
MOST_WAITING: Final = 256  # jobs; of a few milliseconds each they make about a second, and waiting longer helps nobody
PUSHBACK_MS: Final = 100  # within the 50 to 200 ms of a refusal


def detached(job: Deferred[T]) -> Deferred[T]:
    """The outcome of `job`; cancelling the wait for it leaves the job alone."""
    outcome: Deferred[T] = Deferred()
    job.chainDeferred(outcome)
    return outcome


class Workers:
    """Runs jobs in threads. A job whose caller's time is up when its turn comes is not begun."""

    def __init__(self, in_thread: Callable[[Callable[[], Any]], Deferred[Any]], clock: Clock) -> None:
        self.unfinished = 0
        self._in_thread = in_thread
        self._clock = clock

    async def run(self, work: Callable[[], T], deadline: float | None = None) -> T:
        if self.unfinished >= MOST_WAITING:
            raise RpcError(
                Status.UNAVAILABLE,
                f"{self.unfinished} jobs wait for a worker thread already",
                processed=Processed.REFUSED,
                origin=Origin.SERVER,
                pushback_ms=PUSHBACK_MS,
            )
        self.unfinished += 1
        job: Deferred[T] = self._in_thread(lambda: self._begin(work, deadline))
        job.addBoth(self._end)  # a thread cannot be stopped: the job counts until it ends
        return await detached(job)

    def _begin(self, work: Callable[[], T], deadline: float | None) -> T:
        if deadline is not None and self._clock.seconds() >= deadline:
            raise RpcError(Status.DEADLINE_EXCEEDED, "the time was up before a worker was free", origin=Origin.SERVER)
        return work()

    def _end(self, outcome: T) -> T:
        self.unfinished -= 1
        return outcome


def start_workers(process: Process, threads: int = THREADS) -> Workers:
    """Workers with threads of their own, which end with the process."""
    pool = ThreadPool(1, threads, "workers")
    pool.start()

    async def stop() -> None:
        pool.stop()

    process.on_stop(stop)
    workers = Workers(partial(deferToThreadPool, process.reactor, pool), process.clock)
    waiting = process.registry.gauge("recmesh_worker_jobs", "Jobs that wait for a worker thread or run in one.")
    waiting.ask(lambda: workers.unfinished)
    return workers
