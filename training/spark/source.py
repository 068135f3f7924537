"""Reads interactions with Spark: CSV and Parquet from any path it can, every row by the lines of the local reader.

What Spark has no reader for (xz, JSON lines, sequences, other encodings) the driver reads as the local engine does.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from training.datasets.files import plain_name
from training.datasets.model import Dataset
from training.datasets.reader import find_tables, read_dataset
from training.datasets.rejects import BadRow, Rejects
from training.datasets.spec import DatasetSpec, TableSpec
from training.datasets.tables import Columns, event_of
from training.errors import DatasetError
from training.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

EVENTS: Final = "place long, user string, item string, kind string, value double, time double, text boolean"
_READ: Final = f"{EVENTS}, reason string, source string"
CORRUPT: Final = "not as many fields as the header"  # a column of no dataset, and why its row is rejected
PLACES: Final = 1 << 58  # of rows a table has at most: partitions number theirs from 2 ** 33 times their own number
_DAMAGED = "\ufffd"  # how bytes of another encoding arrive from Spark


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset whose events are Spark's."""

    described: Dataset  # without events
    events: DataFrame  # EVENTS; null: none


def read_source(session: SparkSession, path: Path, rejects: Rejects, progress: Progress) -> Source:
    """DatasetError, as from `read_dataset`."""
    spec, _, tables = find_tables(path)
    apart = {name: file for name, file in tables.items() if name in ("interactions", "events")}
    locations = {name: located(path, file) for name, file in apart.items()}
    if not all(readable(location, getattr(spec, name)) for name, location in locations.items()):
        dataset = read_dataset(path, rejects, progress)
        return Source(dataset, _handed_over(session, dataset))
    described = read_dataset(path, rejects, progress, elsewhere=tuple(apart))
    events: DataFrame | None = None
    with progress.stage("read with Spark", len(locations)) as stage:
        for number, (name, location) in enumerate(locations.items()):
            found = _read(session, name, location, spec, number * PLACES).cache()
            described = _counted(found, described, location, rejects)
            usable = found.where("reason is null").drop("reason", "source")
            events = usable if events is None else events.union(usable)
            stage.advance()
    if events is None or not events.head(1):
        raise DatasetError(f"{path}: there is not one usable interaction in {', '.join(locations.values())}")
    return Source(described, events)


def located(path: Path, file: str) -> str:
    """A table's place as Spark is told it: dataset.toml may name any URI, or a directory of parts."""
    if "://" in file:
        return file
    for suffix in ("", ".gz", ".bz2", ".xz"):
        found = path if path.is_file() else path / (plain_name(file) + suffix)
        if found.exists():
            return str(found.resolve())
    raise DatasetError(f"{path / file}: no such file; it may also end in .gz or .xz, or be a URI such as s3a://...")


def readable(location: str, spec: TableSpec) -> bool:
    """Whether Spark has a reader for it."""
    if _suffix(location) == ".parquet":
        return True
    packed = location.endswith(".xz") or spec.encoding.lower() not in ("utf-8", "utf8")
    return _suffix(location) in (".csv", ".tsv") and not packed


def _suffix(location: str) -> str:
    name = plain_name(location.rstrip("/").rpartition("/")[2]).removesuffix(".bz2")
    return ".parquet" if "*" in name and ".parquet" in name else Path(name).suffix


def _read(session: SparkSession, table: str, location: str, spec: DatasetSpec, first: int) -> DataFrame:
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F  # noqa: N812

    described: TableSpec = getattr(spec, table)
    try:
        rows = session.read.parquet(location) if _suffix(location) == ".parquet" else _csv(session, location, described)
    except PySparkException as error:
        raise DatasetError(f"{location}: Spark cannot read it: {str(error).splitlines()[0]}") from error
    columns = Columns(table, described)
    for ours in ("user", "item"):
        columns.require(dict.fromkeys(rows.columns), ours, Path(location))
    numbered = rows.withColumn("\0place", F.monotonically_increasing_id() + F.lit(first))
    names = numbered.columns

    def parse(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _parsed(batch.rename_columns(names).to_pylist(), columns, described)

    return numbered.mapInArrow(parse, _READ)


def _csv(session: SparkSession, location: str, spec: TableSpec) -> DataFrame:
    separator = spec.delimiter or ("\t" if _suffix(location) == ".tsv" else ",")
    reader = session.read.options(sep=separator, quote='"' if spec.quotes else "", escape='"', header=not spec.header)
    names = list(spec.header) or reader.csv(location).columns
    schema = ", ".join(f"`{name.replace('`', '``')}` string" for name in (*names, CORRUPT))
    return reader.options(columnNameOfCorruptRecord=CORRUPT, maxCharsPerColumn=-1).csv(location, schema)


def _parsed(rows: list[dict[str, Any]], columns: Columns, spec: TableSpec) -> pa.RecordBatch:
    """Usable rows, and the others with the reason."""
    found = []
    for row in rows:
        place, corrupt = row.pop("\0place"), row.pop(CORRUPT, None)
        try:
            if corrupt is not None:
                raise BadRow(CORRUPT)
            user, item, kind, value, time, review = event_of(columns, row, spec)
            if _DAMAGED in user or _DAMAGED in item:
                raise BadRow("id has bytes that are not of the encoding")
            none = (None if math.isnan(each) else each for each in (value, time))
            found.append((place, user, item, kind, *none, bool(review), None, None))
        except BadRow as reason:
            shown = json.dumps(corrupt or row, default=str)
            found.append((place, "", "", "", None, None, False, str(reason), shown))
    kinds = {"long": pa.int64(), "string": pa.string(), "double": pa.float64(), "boolean": pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in (each.split() for each in _READ.split(", "))])
    columns_ = list(zip(*found, strict=True)) or [()] * len(schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns_, schema, strict=True)], schema=schema
    )


def _counted(found: DataFrame, described: Dataset, location: str, rejects: Rejects) -> Dataset:
    """The dataset with the table's rows, rejects and fingerprint. DatasetError: too many are rejected."""
    from pyspark.sql import functions as F  # noqa: N812

    hashed = F.xxhash64("user", "item", "kind", "value", "time").cast("decimal(38,0)")
    counts = found.groupBy("reason").agg(F.count("*").alias("rows"), F.sum(hashed).alias("sum")).collect()
    name = location.rstrip("/").rpartition("/")[2]
    rejects.seen(name, sum(row["rows"] for row in counts))
    if any(row["reason"] is not None for row in counts):
        bad = found.where("reason is not null").orderBy("place").select("place", "reason", "source")
        for row in bad.toLocalIterator():
            rejects.add(name, row["place"] % PLACES + 1, row["reason"], row["source"])
    rejects.finish(name)
    whole = hashlib.sha256(described.fingerprint.encode())
    whole.update(json.dumps([[name, row["reason"], row["rows"], str(row["sum"])] for row in counts]).encode())
    rejected = {file: dict(reasons) for file, reasons in rejects.reasons.items()}
    not_read = [file for file in described.not_read if file != name]
    return replace(
        described, rows=dict(rejects.rows), rejected=rejected, not_read=not_read, fingerprint=whole.hexdigest()
    )


def _handed_over(session: SparkSession, dataset: Dataset) -> DataFrame:
    events = dataset.events
    told = np.zeros(len(events), bool)
    told[list(events.texts)] = True

    def named(names: Any, numbers: Any) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(list(names), pa.string())).dictionary_decode()

    table = pa.table(
        {
            "place": pa.array(np.arange(len(events))),
            "user": named(events.user_ids, events.users),
            "item": named(events.item_ids, events.items),
            "kind": named(events.types, events.kinds),
            "value": pa.array(events.values, from_pandas=True),  # NaN becomes null
            "time": pa.array(events.timestamps, from_pandas=True),
            "text": pa.array(told),
        }
    )
    return session.createDataFrame(table, EVENTS)
