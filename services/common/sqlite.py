"""A SQLite database with one writer: jobs that wait at the same time share a transaction, and so a flush of the disk.

A job's outcome is given only after COMMIT returned, with the journal in WAL mode and synchronous=FULL: what was
acknowledged is on disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from recmesh.ops.log import Logger
from recmesh.ops.process import StartError
from recmesh.rpc.status import Processed, RpcError, Status
from services.common.trouble import Trouble
from services.common.workers import detached

T = TypeVar("T")

Connection = sqlite3.Connection
InReactor = Callable[..., Any]  # calls a function on the reactor's thread, such as reactor.callFromThread

MOST_ROWS: Final = 20_000  # not yet on disk: half a second of writing, and no caller waits longer gladly
MOST_BYTES: Final = 64 << 20  # of these rows: what they may hold in memory
PUSHBACK_MS: Final = 100  # about what a fifth of a full queue takes to write
BUSY_SECONDS: Final = 5.0  # another process that reads, such as an export, may hold the database for moments
SCHEMA_VERSION: Final = 1


def connect(path: Path, schema: str, application: int, *, read_only: bool = False) -> Connection:
    """The database, made where it is missing; StartError where it is something else or cannot be used."""
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StartError(f"{path}: {error}; set state to a folder this process can write") from error
    try:
        _prepare(connection, path, schema, application)
        connection.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
    except sqlite3.Error as error:
        connection.close()
        raise StartError(f"{path}: {error}; restore it, or set state to another folder") from error
    except StartError:
        connection.close()
        raise
    return connection


def _prepare(connection: Connection, path: Path, schema: str, application: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # what users had erased is overwritten
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if found == [0, 0] and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        connection.executescript(
            f"BEGIN IMMEDIATE; {schema}; PRAGMA application_id = {application};"
            f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif found != [application, SCHEMA_VERSION]:
        raise StartError(f"{path} is a database of another program or version; set state to another folder")


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Work for the writer, and who waits for it."""

    work: Callable[[Connection], Any]
    committed: Callable[[Any], None]
    outcome: Deferred[Any]
    rows: int
    bytes: int
    erases: bool


class _JobError(Exception):
    """A job failed by itself."""

    def __init__(self, job: _Job, cause: Exception) -> None:
        super().__init__(str(cause))
        self.job = job
        self.cause = cause


class GroupWriter:
    """Runs jobs in one thread; those that queue up while it writes go into the next transaction together."""

    def __init__(self, connection: Connection, in_reactor: InReactor) -> None:
        self.rows = 0  # given and not yet on disk
        self.bytes = 0
        self.transactions = 0
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        self.trouble = Trouble(Logger("services.sqlite"), path=path)
        self._connection = connection
        self._in_reactor = in_reactor
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._closed: Deferred[None] = Deferred()

    def start(self) -> None:
        self._thread.start()

    def write(
        self,
        work: Callable[[Connection], T],
        committed: Callable[[T], None] = lambda outcome: None,
        *,
        rows: int = 1,
        size: int = 0,
        erases: bool = False,
    ) -> Deferred[T]:
        """The outcome of `work` once it is on disk. RESOURCE_EXHAUSTED at once where too much waits already.

        `committed` is called on the reactor's thread in the order of the commits, also when nobody waits any more.
        `rows` and `size`, in bytes, are what the job adds to the queue. `erases`: nothing may remain in the journal.
        """
        if self.rows + rows > max(MOST_ROWS, rows) or self.bytes + size > max(MOST_BYTES, size):
            raise RpcError(
                Status.RESOURCE_EXHAUSTED,
                f"{self.rows:,} rows wait to be written to disk already",
                processed=Processed.YES,
                pushback_ms=PUSHBACK_MS,
            )
        self.rows += rows
        self.bytes += size
        job = _Job(work, committed, Deferred(), rows, size, erases)
        self._queue.put(job)
        return detached(job.outcome)

    async def close(self) -> None:
        """When everything given is on disk."""
        self._queue.put(None)
        await self._closed

    def _run(self) -> None:
        while (group := self._take()) is not None:
            done = self._commit(group)
            if any(job.erases for job in group):
                self._empty_journal()
            self._in_reactor(self._tell, group, done)
        self._connection.close()
        self._in_reactor(self._closed.callback, None)

    def _take(self) -> list[_Job] | None:
        """Every job there is, at least one; None when the end was asked for and nothing is left."""
        group: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            group.append(job)
            try:
                job = self._queue.get_nowait()
            except Empty:
                return group
        if group:
            self._queue.put(None)
        return group or None

    def _commit(self, group: Sequence[_Job]) -> Sequence[object]:
        """Outcomes or Failures. A job that fails by itself is left out, and the others are tried again."""
        failures: dict[_Job, Failure] = {}
        while True:
            left = [job for job in group if job not in failures]
            try:
                done = dict(zip(left, self._transaction(left), strict=True))
                if left:
                    self.trouble.worked()
                return [failures.get(job) or done[job] for job in group]
            except _JobError as error:
                failures[error.job] = Failure(self._readable(error.cause))
            except Exception as error:
                failure = Failure(self._readable(error))
                return [failures.get(job) or failure for job in group]

    def _transaction(self, jobs: Sequence[_Job]) -> Sequence[object]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [self._do(job) for job in jobs]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return outcomes

    def _do(self, job: _Job) -> object:
        try:
            return job.work(self._connection)
        except sqlite3.OperationalError:
            raise  # the disk's fault, which the others share
        except Exception as error:
            raise _JobError(job, error) from error

    def _empty_journal(self) -> None:
        """As far as no reader needs it: to wait for one would hold up every append."""
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}")
        except sqlite3.Error as error:
            Logger("services.sqlite").error("the journal could not be emptied", error)

    def _tell(self, group: Sequence[_Job], outcomes: Sequence[object]) -> None:
        self.transactions += 1
        for job, outcome in zip(group, outcomes, strict=True):
            self.rows -= job.rows
            self.bytes -= job.bytes
            if isinstance(outcome, Failure):
                job.outcome.errback(outcome)
                continue
            try:
                job.committed(outcome)
            except Exception as error:
                Logger("services.sqlite").error("what was stored could not be taken over", error)
                job.outcome.errback(error)
            else:
                job.outcome.callback(outcome)

    def _readable(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        if not isinstance(error, sqlite3.IntegrityError):
            self.trouble.failed("the store cannot be written; make room on the disk or restore the file", error)
        return RpcError(Status.UNAVAILABLE, f"the store cannot be written: {error}", processed=Processed.YES)


@contextmanager
def reading(trouble: Trouble) -> Iterator[None]:
    """Makes of a file that cannot be read an answer to the caller and one line in the log."""
    try:
        yield
    except sqlite3.Error as error:
        trouble.failed("the store cannot be read; restore the file", error)
        raise RpcError(Status.UNAVAILABLE, f"the store cannot be read: {error}", processed=Processed.YES) from error
