"""The log of puts and deletions: what a replica was told since its bundle was made, on disk.

An item has one row, its latest change; a later change takes the row along to the end of the log. So the log grows with
the number of items and not of changes, and who reads on from a sequence number misses nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred

from recmesh.ops.process import StartError
from services.common.sqlite import Connection, GroupWriter, InReactor, connect

FILE: Final = "catalogue.sqlite"
APPLICATION: Final = 0x524D_4341  # "RMCA": tells our file from another program's
MOST_VERSIONS: Final = 8  # of bundles whose vectors are kept for an item: twice what a process can have loaded

SCHEMA: Final = """
CREATE TABLE changes (
    item_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL UNIQUE,
    changed REAL NOT NULL,
    deleted INTEGER NOT NULL,
    item BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE vectors (
    item_id TEXT NOT NULL,
    version TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    factors BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (item_id, version)
) WITHOUT ROWID;
CREATE TABLE cursors (
    peer TEXT NOT NULL,
    version TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (peer, version)
) WITHOUT ROWID
"""

LATEST: Final = "SELECT changed, deleted, item FROM changes WHERE item_id = ?"
AFTER: Final = """
SELECT c.item_id, c.changed, c.deleted, c.item, c.sequence, v.factors, v.content
FROM changes c LEFT JOIN vectors v ON v.item_id = c.item_id AND v.version = ?
WHERE c.sequence > ? ORDER BY c.sequence LIMIT ?
"""
DROP_OLD_VECTORS: Final = """
DELETE FROM vectors WHERE item_id = ?1 AND version NOT IN
    (SELECT version FROM vectors WHERE item_id = ?1 ORDER BY sequence DESC LIMIT ?2)
"""

Vectors = tuple[bytes, bytes]  # float32: factors, content


@dataclass(frozen=True, slots=True)
class Change:
    """A put, or a deletion, of one item."""

    item_id: str
    changed: float  # Unix seconds; of two changes of an item the later one holds
    deleted: bool
    item: bytes = b""  # recmesh.v1.Item; empty for a deletion
    vectors: Mapping[str, Vectors] = field(default_factory=dict)  # by bundle version
    sequence: int = 0  # its place in the log of the replica that gave it

    @property
    def rank(self) -> tuple[float, bool, bytes]:
        """Greater holds. Beyond the time it only matters that all replicas decide alike."""
        return (self.changed, self.deleted, self.item)


class ChangeLog:
    """One folder's log. Writing waits for the disk; reading does not."""

    def __init__(
        self, folder: Path, in_reactor: InReactor, now: Callable[[], float], shard: int = 0, shards: int = 1
    ) -> None:
        self.path = folder / FILE
        connection = connect(self.path, SCHEMA, APPLICATION)
        try:
            _claim(connection, self.path, shard, shards)
        except StartError:
            connection.close()
            raise
        self.writer = GroupWriter(connection, in_reactor)
        self.writer.start()
        self._now = now
        self._reader = self.reader()

    def reader(self) -> Connection:
        """A connection of one's own, for another thread than the reactor's."""
        return connect(self.path, SCHEMA, APPLICATION, read_only=True)

    def write(
        self,
        changes: Sequence[Change],
        committed: Callable[[Sequence[Change]], None],
        cursor: tuple[str, str, int] | None = None,
    ) -> Deferred[Sequence[Change]]:
        """The changes that hold, as stored. `cursor`, stored with them: how far (peer, version, sequence) was read."""
        size = sum(len(change.item) + sum(map(sum, map(_sizes, change.vectors.values()))) for change in changes)
        work = partial(write_changes, changes, cursor, int(self._now() * 1e6))
        return self.writer.write(work, committed, rows=len(changes) + 1, size=size)

    def after(self, sequence: int, version: str, limit: int = -1, reader: Connection | None = None) -> Sequence[Change]:
        """Changes after `sequence` in order, with the vectors of one bundle version where they are known. -1: all."""
        rows = (reader or self._reader).execute(AFTER, (version, sequence, limit))
        return [
            Change(item_id, changed, bool(deleted), item, {version: (factors, content)} if factors else {}, place)
            for item_id, changed, deleted, item, place, factors, content in rows
        ]

    def last_sequence(self) -> int:
        return _last_sequence(self._reader)

    def cursor(self, peer: str, version: str) -> int:
        """How far the peer's log was read for a version; 0: not at all."""
        query = "SELECT sequence FROM cursors WHERE peer = ? AND version = ?"
        row = self._reader.execute(query, (peer, version)).fetchone()
        return int(row[0]) if row else 0

    async def close(self) -> None:
        await self.writer.close()
        self._reader.close()


def _claim(connection: Connection, path: Path, shard: int, shards: int) -> None:
    """Marks a log as this shard's; StartError where it is another's, or damaged.

    In another shard's hands items would be found twice, and others never.
    """
    try:
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        connection.execute("CREATE TABLE IF NOT EXISTS owner (shard INTEGER NOT NULL, shards INTEGER NOT NULL)")
        row = connection.execute("SELECT shard, shards FROM owner").fetchone()
        if row is None:
            connection.execute("INSERT INTO owner VALUES (?, ?)", (shard, shards))
    except sqlite3.OperationalError as error:
        raise StartError(
            f"{path}: {error}; make room there, or set state to a folder this process can write"
        ) from error
    except sqlite3.DatabaseError as error:
        damage = str(error)
    if damage != "ok":
        raise StartError(
            f"{path} is damaged ({' '.join(damage.split())}): remove it, and this replica gets its items from its peers"
        )
    if row is not None and row != (shard, shards):
        raise StartError(
            f"{path} belongs to shard {row[0]} of {row[1]}, and this process is shard {shard} of {shards}: "
            "set state to this shard's folder, or to an empty one and put the items again"
        )


def _sizes(vectors: Vectors) -> tuple[int, int]:
    return len(vectors[0]), len(vectors[1])


def _last_sequence(connection: Connection) -> int:
    return int(connection.execute("SELECT max(sequence) FROM changes").fetchone()[0] or 0)


def write_changes(
    changes: Sequence[Change], cursor: tuple[str, str, int] | None, now: int, connection: Connection
) -> Sequence[Change]:
    # Microseconds of the clock: a log that was lost and begun anew continues above what peers have read of the old one.
    sequence = max(_last_sequence(connection), now)
    held: list[Change] = []
    for change in changes:
        stored = _write_one(connection, change, sequence + 1)
        if stored is not None:
            sequence += 1
            held.append(stored)
    if cursor is not None:
        connection.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", cursor)
    return held


def _write_one(connection: Connection, change: Change, sequence: int) -> Change | None:
    """The change with all its vectors; None where it brings nothing."""
    row = connection.execute(LATEST, (change.item_id,)).fetchone()
    before = Change(change.item_id, row[0], bool(row[1]), row[2]) if row else None
    known = _vectors(connection, change.item_id)
    if before is not None and change.rank < before.rank:
        return None
    if before is not None and change.rank == before.rank and change.vectors.keys() <= known.keys():
        return None
    if before is not None and change.item != before.item:
        connection.execute("DELETE FROM vectors WHERE item_id = ?", (change.item_id,))
    for version, (factors, content) in change.vectors.items():
        row = (change.item_id, version, sequence, factors, content)
        connection.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", row)
    connection.execute(DROP_OLD_VECTORS, (change.item_id, MOST_VERSIONS))
    connection.execute(
        "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?)",
        (change.item_id, sequence, change.changed, change.deleted, change.item),
    )
    vectors = _vectors(connection, change.item_id)
    return Change(change.item_id, change.changed, change.deleted, change.item, vectors, sequence)


def _vectors(connection: Connection, item_id: str) -> Mapping[str, Vectors]:
    rows = connection.execute("SELECT version, factors, content FROM vectors WHERE item_id = ?", (item_id,))
    return {version: (factors, content) for version, factors, content in rows}
