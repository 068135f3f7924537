"""The store of events: appended in groups, idempotent by event id, read by user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred

from recmesh.ops.bell import Bell
from services.common.sqlite import Connection, GroupWriter, InReactor, connect, reading
from services.feedback.events import Event

FILE: Final = "events.sqlite"
APPLICATION: Final = 0x524D_4642  # "RMFB": tells our file from another program's
ROW_BYTES: Final = 512  # of an event in memory without its text

# Offsets are never used again, also after a deletion: who reads on from one must miss nothing.
SCHEMA: Final = """
CREATE TABLE events (
    offset INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    type TEXT NOT NULL,
    value REAL,
    timestamp REAL NOT NULL,
    text TEXT NOT NULL,
    impression_id TEXT NOT NULL
);
CREATE INDEX events_of_user ON events (user_id, timestamp, offset);
CREATE TABLE forgotten (user_id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID
"""

APPEND: Final = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
OF_USER: Final = "SELECT * FROM events WHERE user_id = ? ORDER BY timestamp DESC, offset DESC LIMIT ?"
AFTER: Final = "SELECT * FROM events WHERE offset > ? ORDER BY offset LIMIT ?"
NEWEST: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
ALL: Final = "SELECT * FROM events ORDER BY offset"


@dataclass(frozen=True, slots=True)
class UserEvents:
    """What the store knows of a user."""

    events: Sequence[Event]  # newest first
    forgotten: bool  # what the bundle knows of the user must not be served


class EventStore:
    """One folder's events. Appending and deleting wait for the disk; reading does not."""

    def __init__(self, folder: Path, in_reactor: InReactor) -> None:
        self.path = folder / FILE
        self.writer = GroupWriter(connect(self.path, SCHEMA, APPLICATION), in_reactor)
        self.writer.start()
        self._reader = self.reader()
        self.appended = Bell()  # rings when events are on disk

    def reader(self) -> Connection:
        """A connection of one's own, for another thread than the reactor's."""
        return connect(self.path, SCHEMA, APPLICATION, read_only=True)

    def append(self, events: Sequence[Event]) -> Deferred[int]:
        """How many of the events were not stored before."""
        size = sum(ROW_BYTES + 4 * len(event.text) for event in events)
        return self.writer.write(partial(_append, events), rows=len(events), size=size).addCallback(self._appended)

    def delete_user(self, user_id: str, now: float) -> Deferred[int]:
        """Erases a user's events, remembers that the user is to be forgotten, and gives the number of events."""
        return self.writer.write(partial(_delete_user, user_id, now), erases=True)

    def after(self, offset: int, limit: int) -> list[tuple[int, Event]]:
        """The first `limit` events after an offset, each with its own."""
        with reading(self.writer.trouble):
            return [(row[0], Event(*row[1:])) for row in self._reader.execute(AFTER, (offset, limit))]

    def newest(self) -> int:
        """The offset of the event that was stored last; 0 before the first."""
        with reading(self.writer.trouble):
            row = self._reader.execute(NEWEST).fetchone()
        return row[0] if row is not None else 0

    def of_user(self, user_id: str, limit: int, reader: Connection | None = None) -> UserEvents:
        """The newest `limit` events."""
        reader = reader or self._reader
        with reading(self.writer.trouble):
            reader.execute("BEGIN")  # both questions are answered from one moment
            try:
                events = [Event(*row[1:]) for row in reader.execute(OF_USER, (user_id, limit))]
                forgotten = reader.execute("SELECT 1 FROM forgotten WHERE user_id = ?", (user_id,)).fetchone()
            finally:
                if reader.in_transaction:  # left open, it would fail every reading after this one
                    reader.execute("ROLLBACK")
        return UserEvents(events, forgotten is not None)

    def _appended(self, number: int) -> int:
        if number:
            self.appended.ring()
        return number

    async def close(self) -> None:
        await self.writer.close()
        self._reader.close()


def stored_events(path: Path) -> Iterator[Event]:
    """Every event in the order it was stored, as of one moment; the service may run meanwhile."""
    reader = connect(path, SCHEMA, APPLICATION, read_only=True)
    try:
        yield from (Event(*row[1:]) for row in reader.execute(ALL))
    finally:
        reader.close()


def _append(events: Sequence[Event], connection: Connection) -> int:
    before = connection.total_changes
    connection.executemany(APPEND, events)
    return connection.total_changes - before


def _delete_user(user_id: str, now: float, connection: Connection) -> int:
    deleted = connection.execute("DELETE FROM events WHERE user_id = ?", (user_id,)).rowcount
    connection.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (user_id, now))
    return deleted
