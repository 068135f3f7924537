"""One writer, group commit, and a bounded queue."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from recmesh.ops.process import StartError
from recmesh.rpc.blocking import run
from recmesh.rpc.status import RpcError, Status
from services.common.sqlite import MOST_BYTES, MOST_ROWS, Connection, GroupWriter, connect
from services.common.state import StateFolder
from tests.services.kit import Turning

SCHEMA = "CREATE TABLE numbers (number INTEGER PRIMARY KEY)"


def insert(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        return number

    return work


class Store:
    """A writer that a test can hold up inside a transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turning = Turning()
        self.writer = GroupWriter(connect(path, SCHEMA, 1), self.turning)
        self.writer.start()

    def hold_up(self) -> Callable[[], None]:
        """The writer waits inside a transaction until the result is called."""
        entered, gate = threading.Event(), threading.Event()

        def wait(connection: Connection) -> bool:
            entered.set()
            return gate.wait(30)

        self.writer.write(wait)
        assert entered.wait(30)
        return gate.set

    def numbers(self) -> list[int]:
        connection = connect(self.path, SCHEMA, 1, read_only=True)
        try:
            return [row[0] for row in connection.execute("SELECT number FROM numbers ORDER BY number")]
        finally:
            connection.close()

    def close(self) -> None:
        self.turning.result(self.writer.close())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "numbers.sqlite")
    yield made
    made.close()


def test_jobs_that_wait_at_the_same_time_share_a_transaction(store: Store) -> None:
    release = store.hold_up()
    waiting = [store.writer.write(insert(number)) for number in range(100)]
    release()
    assert [store.turning.result(each) for each in waiting] == list(range(100))
    assert store.writer.transactions == 2
    assert store.numbers() == list(range(100))


def test_an_outcome_is_given_after_the_commit(store: Store) -> None:
    seen: list[list[int]] = []
    store.turning.result(store.writer.write(insert(1), lambda outcome: seen.append(store.numbers())))
    assert seen == [[1]]


def test_a_job_that_fails_takes_no_other_along(store: Store) -> None:
    release = store.hold_up()
    good, bad, last = (store.writer.write(insert(number)) for number in (1, 1, 2))
    release()
    assert (store.turning.result(good), store.turning.result(last)) == (1, 2)
    assert "UNIQUE" in store.turning.refusal(bad, Status.UNAVAILABLE)
    assert store.numbers() == [1, 2]


def test_a_full_disk_is_an_answer_and_not_the_end(store: Store) -> None:
    def fill(connection: Connection) -> None:
        connection.execute("CREATE TABLE filler (data BLOB)")
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    def too_much(connection: Connection) -> None:
        connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))")

    store.turning.result(store.writer.write(fill))
    message = store.turning.refusal(store.writer.write(too_much), Status.UNAVAILABLE)
    assert message == "the store cannot be written: database or disk is full"
    assert store.turning.result(store.writer.write(insert(1))) == 1


def test_a_disk_that_fails_fails_the_whole_group_once(store: Store) -> None:
    begun: list[int] = []

    def fail(connection: Connection) -> None:
        begun.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    release = store.hold_up()
    waiting = [store.writer.write(work) for work in (insert(1), fail, insert(2))]
    release()
    for each in waiting:
        assert "disk I/O error" in store.turning.refusal(each, Status.UNAVAILABLE)
    assert begun == [1] and store.numbers() == []
    assert store.turning.result(store.writer.write(insert(1))) == 1


def test_a_disk_that_stays_full_is_one_line_in_the_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def fail(connection: Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    for _ in range(20):
        store.turning.refusal(store.writer.write(fail), Status.UNAVAILABLE)
    [line] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert line.getMessage() == "the store cannot be written; make room on the disk or restore the file"
    assert vars(line)["fields"] == {"reason": "database or disk is full", "path": str(store.path)}


def test_what_a_caller_got_wrong_is_no_trouble_of_the_store(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.turning.result(store.writer.write(insert(1)))
    store.turning.refusal(store.writer.write(insert(1)), Status.UNAVAILABLE)
    assert not caplog.records


def test_an_error_while_taking_over_reaches_its_caller_alone(store: Store) -> None:
    def refuse(outcome: int) -> None:
        raise ValueError("no place")

    release = store.hold_up()
    bad, good = store.writer.write(insert(1), refuse), store.writer.write(insert(2))
    release()
    with pytest.raises(ValueError, match="no place"):
        store.turning.result(bad)
    assert store.turning.result(good) == 2 and store.numbers() == [1, 2]


def test_the_queue_is_bounded_by_rows_and_bytes(store: Store) -> None:
    release = store.hold_up()
    store.writer.write(insert(1), rows=MOST_ROWS - 1)
    with pytest.raises(RpcError) as caught:
        store.writer.write(insert(2))
    assert caught.value.status is Status.RESOURCE_EXHAUSTED and caught.value.pushback_ms
    release()
    while store.writer.rows:
        store.turning.turn()
    release = store.hold_up()
    store.writer.write(insert(3), size=MOST_BYTES)
    with pytest.raises(RpcError):
        store.writer.write(insert(4), size=1)
    release()
    while store.writer.rows:
        store.turning.turn()
    assert store.writer.bytes == 0 and store.numbers() == [1, 3]


def test_what_nobody_waits_for_is_written_and_told_all_the_same(store: Store) -> None:
    told: list[int] = []
    release = store.hold_up()
    given_up: Deferred[int] = store.writer.write(insert(1), told.append)
    given_up.addErrback(lambda failure: None)
    given_up.cancel()
    release()
    store.turning.result(store.writer.write(insert(2)))
    assert told == [1] and store.numbers() == [1, 2]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    store = Store(tmp_path / "numbers.sqlite")
    release = store.hold_up()
    waiting = [store.writer.write(insert(number)) for number in range(10)]
    closed = store.writer.close()
    release()
    store.turning.result(closed)
    assert all(each.called for each in waiting) and store.numbers() == list(range(10))


def test_an_erasing_job_leaves_nothing_in_the_journal(store: Store) -> None:
    journal = store.path.with_name(store.path.name + "-wal")
    store.turning.result(store.writer.write(insert(1)))
    assert journal.stat().st_size
    store.turning.result(store.writer.write(insert(2), erases=True))
    assert not journal.stat().st_size


def test_the_journal_is_flushed_at_every_commit(tmp_path: Path) -> None:
    connection = connect(tmp_path / "numbers.sqlite", SCHEMA, 1)
    modes = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    connection.close()
    assert modes == ["wal", 2]  # 2: FULL


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "numbers.sqlite"
    connect(path, SCHEMA, 1).close()
    with pytest.raises(StartError, match="is a database of another program or version"):
        connect(path, SCHEMA, 2)
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(StartError, match="is a database of another program or version"):
        connect(path, SCHEMA, 1)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "numbers.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StartError, match=r"numbers\.sqlite: file is not a database; restore it, or set state"):
        connect(path, SCHEMA, 1)


def test_a_state_folder_has_one_owner(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with pytest.raises(StartError, match="is in use by another process"):
        StateFolder(tmp_path / "state")
    run(folder.release())
    run(StateFolder(tmp_path / "state").release())


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="set state to a folder this process can write"):
        StateFolder(tmp_path / "file" / "state")
