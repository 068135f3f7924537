"""Histories: a row a user with what they took in order of time, the form in which Spark holds interactions.

Columns: `user` the id, `first` the place of the user's first event in the source (it orders users), and the arrays
`items`, `weights`, `times`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data import Interactions
from training.splits import Latest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHUNK_EVENTS: Final = 500_000  # handed to a model at once: some 10 MB, and what a chunk adds up to stays near that
_PACKED: Final = "first binary, counts binary, users binary, items binary, weights binary, times binary"


@dataclass(frozen=True, slots=True)
class Histories:
    """Every user's history, somewhere in a cluster."""

    rows: DataFrame
    item_ids: Sequence[str]
    users: int
    events: int

    @property
    def width(self) -> int:
        return len(self.item_ids)

    def without(self, latest: Latest) -> Histories:
        """As `latest` leaves the same events where they are in memory."""
        from pyspark.sql import functions as F  # noqa: N812 - the name it has everywhere

        size = F.size("items")
        held_out = F.greatest(F.lit(latest.events), F.rint(size * F.lit(latest.share)).cast("int"))
        rows = self.rows.withColumn("kept", size - F.least(held_out, size - 1))
        kept = {name: F.slice(name, 1, F.col("kept")) for name in ("items", "weights", "times")}
        cut = rows.withColumns(kept).drop("kept").cache()
        events = cut.agg(F.sum(F.size("items"))).first()
        return replace(self, rows=cut, events=int(events[0] or 0) if events else 0)

    def chunked(self, work: Callable[[Interactions], Iterator[pa.RecordBatch]], schema: str) -> DataFrame:
        """What `work` makes of a few users after the other; items are numbered as here, users within each chunk."""
        width = self.width

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for chunk in chunks(batches, width):
                yield from work(chunk)

        return self.rows.select("items", "weights", "times").mapInArrow(run, schema)

    def sample(self, events: int, seed: int) -> Interactions:
        """About so many events, of users chosen by chance; all of them where there are no more."""
        from pyspark.sql import functions as F  # noqa: N812

        rows = self.rows
        if self.events > events:
            drawn = F.pmod(F.xxhash64("user", F.lit(seed)), F.lit(1_000_000))
            rows = rows.where(drawn < int(1_000_000 * events / self.events))
        users, counts, columns = _unpacked(packed(rows).toArrow().to_pylist())
        numbers = np.repeat(np.arange(len(users), dtype=np.int32), counts)
        return Interactions(users, self.item_ids, numbers, *columns)

    def streamed(self) -> Iterator[tuple[Sequence[str], NDArray[np.int64], tuple[Any, ...]]]:
        """All users in order: ids, how many events each has, and items, weights and times; some at a time."""
        for row in packed(self.rows.orderBy("first")).toLocalIterator(prefetchPartitions=True):
            yield _unpacked([row.asDict()])


def chunks(batches: Iterator[pa.RecordBatch], width: int) -> Iterator[Interactions]:
    """Batches of histories as interactions of about CHUNK_EVENTS."""
    waiting: list[pa.RecordBatch] = []
    events = 0
    for batch in batches:
        waiting.append(batch)
        events += len(batch.column("items").flatten())
        if events >= CHUNK_EVENTS:
            yield _chunk(waiting, width)
            waiting, events = [], 0
    if waiting:
        yield _chunk(waiting, width)


def _chunk(batches: Sequence[pa.RecordBatch], width: int) -> Interactions:
    counts = np.concatenate([_lengths(batch) for batch in batches])
    users = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    columns = (
        _joined(batches, name, kind)
        for name, kind in (("items", np.int32), ("weights", np.float32), ("times", np.float64))
    )
    return Interactions([""] * len(counts), [""] * width, users, *columns)


def _lengths(batch: pa.RecordBatch) -> NDArray[np.int64]:
    return np.asarray(pc.list_value_length(batch.column("items")), np.int64)


def _joined(batches: Sequence[pa.RecordBatch], name: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.asarray(batch.column(name).flatten()) for batch in batches]).astype(kind)


def packed(rows: DataFrame) -> DataFrame:
    """Histories as few rows of bytes: what comes to the driver comes in this form."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            chunk = _chunk([batch], 0)
            ids = json.dumps(batch.column("user").to_pylist()).encode()
            firsts = np.asarray(batch.column("first"), np.int64)
            parts = (firsts, _lengths(batch), ids, chunk.items, chunk.weights, chunk.timestamps)
            yield of_bytes(_PACKED, parts)

    return rows.mapInArrow(run, _PACKED)


def of_bytes(schema: str, parts: Sequence[Any], **others: int) -> pa.RecordBatch:
    """One row: whole numbers first, then bytes in the order of the schema's binary columns."""
    names = [column.split()[0] for column in schema.split(", ") if column.endswith(" binary")]
    arrays = {name: pa.array([value], pa.int32()) for name, value in others.items()}
    arrays |= {
        name: pa.array([part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()], pa.binary())
        for name, part in zip(names, parts, strict=True)
    }
    return pa.RecordBatch.from_pydict(arrays)


def _unpacked(rows: Sequence[dict[str, Any]]) -> tuple[list[str], NDArray[np.int64], tuple[Any, ...]]:
    """In order of `first`."""
    firsts = _column(rows, "first", np.int64)
    counts = _column(rows, "counts", np.int64)
    users = [user for row in rows for user in json.loads(row["users"])]
    order = np.argsort(firsts, kind="stable")
    starts = np.cumsum(counts) - counts
    sizes = counts[order]
    elements = np.repeat(starts[order] - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
    kinds = (("items", np.int32), ("weights", np.float32), ("times", np.float64))
    columns = tuple(_column(rows, name, kind)[elements] for name, kind in kinds)
    return [users[place] for place in order.tolist()], sizes, columns


def _column(rows: Sequence[dict[str, Any]], name: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *(np.frombuffer(row[name], kind) for row in rows)])
