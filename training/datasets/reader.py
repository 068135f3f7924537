"""Reads a dataset: finds its layout, reads its tables, counts what cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from models.data import AttributeValue, ItemInfo
from training.datasets import tables
from training.datasets.files import SourceFiles
from training.datasets.layouts import by_name, recognise
from training.datasets.model import Dataset, EventColumns
from training.datasets.rejects import Rejects
from training.datasets.spec import DATASET_TOML, DatasetSpec, TableSpec, apply, read_dataset_toml
from training.errors import DatasetError
from training.progress import Progress


def find_tables(path: Path, opinions_suffice: bool = False) -> tuple[DatasetSpec, SourceFiles, dict[str, str]]:
    """How a dataset is written, its files, and the file of each of its tables."""
    files = SourceFiles(path)
    given, raw = read_dataset_toml(path)
    layout = by_name(given.layout) if given.layout else recognise(files, given.interactions.file)
    spec = apply(given, raw, layout)
    return spec, files, _tables(spec, files, given, opinions_suffice)


def read_dataset(
    path: Path,
    rejects: Rejects,
    progress: Progress,
    opinions_suffice: bool = False,
    elsewhere: Collection[str] = (),
) -> Dataset:
    """Everything the directory says. DatasetError: it cannot be used, or too many rows of a file cannot.

    `opinions_suffice`: a directory without interactions, but with opinions, can be used too. `elsewhere`: tables that
    somebody else reads.
    """
    spec, files, tables = find_tables(path, opinions_suffice)
    found = {table: file for table, file in tables.items() if table not in elsewhere}
    read = _Reader(rejects)
    with progress.stage("read", len(found)) as stage:
        for table, file in found.items():
            read.table(table, files.take(file), spec)
            stage.advance()
    if DATASET_TOML in files:
        files.take(DATASET_TOML)
    events = read.events.finish()
    if not (len(events) or elsewhere or (opinions_suffice and read.opinions)):
        raise DatasetError(f"{path}: there is not one usable interaction in {', '.join(found.values())}")
    return Dataset(
        name=dataset_name(path),
        path=path,
        layout=spec.layout,
        events=events,
        items=read.items,
        users=read.users,
        opinions=read.opinions,
        event_weights=spec.weights,
        rows=dict(rejects.rows),
        rejected={file: dict(reasons) for file, reasons in rejects.reasons.items()},
        notes={note: count for note, count in read.notes.items() if count},
        not_read=files.not_read(),
        fingerprint=files.fingerprint(),
    )


def dataset_name(path: Path) -> str:
    """What dataset.toml calls it, or the name of the directory."""
    if not path.exists():
        raise DatasetError(f"{path}: no such directory; name the directory that holds the dataset")
    given, _ = read_dataset_toml(path)
    whole = path.resolve().name
    return given.name or (whole.partition(".")[0] if path.is_file() else whole)


def _tables(spec: DatasetSpec, files: SourceFiles, given: DatasetSpec, opinions_suffice: bool) -> dict[str, str]:
    """The file of each table that is there, in the order of reading: what items are comes first."""
    found = {}
    for table in ("items", "texts", "tags", "users", "opinions", "interactions", "events"):
        described: TableSpec = getattr(spec, table)
        named_by_hand = bool(getattr(given, table).file)
        if described.file and (described.file in files or named_by_hand):
            found[table] = described.file
        elif not described.file and files.table(table):
            found[table] = files.table(table)
    suffice = {"interactions", "events"} | ({"opinions"} if opinions_suffice else set())
    if not suffice & found.keys():
        expected = spec.interactions.file or "interactions.csv or interactions.jsonl"
        raise DatasetError(f"{files.path}: no interactions; the layout {spec.layout} has them in {expected}")
    return found


class _Reader:
    """What the tables add up to, table by table."""

    def __init__(self, rejects: Rejects) -> None:
        self.events = EventColumns()
        self.items: dict[str, ItemInfo] = {}
        self.users: dict[str, Mapping[str, AttributeValue]] = {}
        self.opinions: list[tuple[str, float]] = []
        self.notes: Counter[str] = Counter()
        self._rejects = rejects

    def table(self, table: str, path: Path, spec: DatasetSpec) -> None:
        described: TableSpec = getattr(spec, table)
        if spec.layout == "sequences" and table == "interactions":
            tables.read_sequences(path, described, self._rejects, self.events)
        else:
            self._readers()[table](path, described)

    def _readers(self) -> Mapping[str, Callable[[Path, TableSpec], None]]:
        rejects = self._rejects
        return {
            "items": lambda path, spec: tables.read_items(path, spec, rejects, self.items, self.notes),
            "texts": lambda path, spec: tables.read_texts(path, spec, rejects, self.items),
            "tags": lambda path, spec: tables.read_tags(path, spec, rejects, self.items),
            "users": lambda path, spec: tables.read_users(path, spec, rejects, self.users, self.notes),
            "opinions": lambda path, spec: tables.read_opinions(path, spec, rejects, self.opinions),
            "interactions": lambda path, spec: tables.read_events("interactions", path, spec, rejects, self.events),
            "events": lambda path, spec: tables.read_events("events", path, spec, rejects, self.events),
        }
