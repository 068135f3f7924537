"""What can be said of a dataset's tables: in code for the layouts that are recognised, in dataset.toml for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from training.configuration import ConfigurationProblem, build, read_toml, unknown_key
from training.errors import DatasetError

DATASET_TOML = "dataset.toml"
LEAST_WEIGHT, MOST_WEIGHT = 0.001, 1_000.0  # of an event, but for 0: their squares are added up in single precision

# Our names of columns, table by table, and what they are called where nothing else is said; the first found is taken.
USER: Final = ("user", "user_id", "userId")
ITEM: Final = ("item", "item_id", "itemId")
EVENT_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "user": USER,
    "item": ITEM,
    "event": ("event", "type"),
    "value": ("value", "rating"),
    "timestamp": ("timestamp", "time"),
    "text": ("text",),
}
COLUMNS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "interactions": EVENT_COLUMNS,
    "events": EVENT_COLUMNS,
    "items": {
        "item": (*ITEM, "id"),
        "title": ("title", "name"),
        "text": ("text", "description"),
        "categories": ("categories", "genres"),
        "attributes": ("attributes",),
        "created": ("created",),
    },
    "users": {"user": (*USER, "id")},
    "texts": {"item": (*ITEM, "id"), "text": ("text",)},
    "tags": {"item": (*ITEM, "id"), "tag": ("tag",)},
    "opinions": {"text": ("text",), "value": ("value", "rating", "label")},
}


@dataclass(frozen=True, slots=True)
class TableSpec:
    """How one table is written."""

    file: str = ""  # its name, with or without .gz or .xz; empty: the table's own name in any known format
    columns: Mapping[str, str] = field(default_factory=dict)  # our name -> the name in the file
    header: tuple[str, ...] = ()  # names of the columns of a CSV file that does not begin with them
    delimiter: str = ""  # of CSV; empty: a tab in .tsv, a comma elsewhere
    quotes: bool = True  # whether CSV fields may stand in double quotes
    encoding: str = "utf-8"
    separator: str = "|"  # between the categories of a CSV field
    flags: tuple[str, ...] = ()  # columns that name a category each and say 1 where the item has it
    attributes: tuple[str, ...] | None = None  # columns to keep as attributes; not given: all that remain
    event: str = ""  # the type of all events of a table without a column for it
    scale: tuple[float, float] = (1.0, 5.0)  # the worst and the best rating that can be given
    titles: str = ""  # "movie": titles as in "Matrix, The (1999)"

    def __post_init__(self) -> None:
        if self.titles not in ("", "movie"):
            raise ValueError(f'titles = "{self.titles}" is not known; leave it out or write "movie"')
        if len(self.delimiter) > 1 or self.delimiter in ("\r", "\n", '"'):
            raise ValueError(f"delimiter {self.delimiter!r} must be one character, and no line end or double quote")
        if not self.separator:
            raise ValueError("separator must not be empty")
        if len(set(self.header)) < len(self.header):
            raise ValueError(f"header names a column twice: {', '.join(self.header)}")
        if self.scale[0] >= self.scale[1]:
            raise ValueError("scale must be the worst and then the best rating, as in [1, 10]")


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """How a whole dataset is written."""

    name: str = ""  # empty: that of the directory
    layout: str = ""
    interactions: TableSpec = TableSpec()
    items: TableSpec = TableSpec()
    users: TableSpec = TableSpec()
    texts: TableSpec = TableSpec()  # longer descriptions that are kept in a file of their own
    tags: TableSpec = TableSpec()  # words that users gave to items
    opinions: TableSpec = TableSpec()  # texts and what they stand for: more to learn the sentiment of reviews from
    events: TableSpec = TableSpec()  # the exported log of the feedback service: further interactions
    weights: Mapping[str, float] = field(default_factory=dict)  # by type of event, over the built-in ones

    def __post_init__(self) -> None:
        for event, weight in self.weights.items():
            if weight and not LEAST_WEIGHT <= abs(weight) <= MOST_WEIGHT:
                raise ValueError(
                    f"weights.{event} is {weight}; a like weighs 1, others 0 or {LEAST_WEIGHT} to {MOST_WEIGHT:,.0f} "
                    "of it, below zero for dislikes"
                )


def read_dataset_toml(directory: Path) -> tuple[DatasetSpec, Mapping[str, Any]]:
    """What the file says, checked, and the same as raw tables: which keys were given matters to `apply`."""
    path = directory / DATASET_TOML
    if not path.is_file():
        return DatasetSpec(), {}
    try:
        raw = read_toml(path)
        spec = build(DatasetSpec, raw)
        for table, known in COLUMNS.items():
            for column in getattr(spec, table).columns:
                if column not in known:
                    raise ConfigurationProblem(unknown_key(column, known, f"{table}.columns"))
    except ConfigurationProblem as problem:
        raise DatasetError(f"{path}: {problem}") from problem
    return spec, raw


def apply(given: DatasetSpec, raw: Mapping[str, Any], layout: DatasetSpec) -> DatasetSpec:
    """The description of a layout with what dataset.toml gives laid over it, column by column."""
    tables: dict[str, Any] = {}
    for table in COLUMNS:
        ours: TableSpec = getattr(layout, table)
        theirs: TableSpec = getattr(given, table)
        changes = {one.name: getattr(theirs, one.name) for one in fields(TableSpec) if one.name in raw.get(table, {})}
        tables[table] = replace(ours, **{**changes, "columns": {**ours.columns, **theirs.columns}})
    return replace(layout, name=given.name, weights=given.weights, **tables)
