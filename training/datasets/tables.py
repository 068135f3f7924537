"""Rows of any format into events and items."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.data import AttributeValue, ItemInfo
from models.events import STARRED
from training.datasets import values
from training.datasets.files import JSON_LINES, Row, open_text, plain_name, read_lines, read_rows
from training.datasets.model import EventColumns
from training.datasets.rejects import BadRow, Rejects
from training.datasets.spec import COLUMNS, TableSpec
from training.datasets.titles import article_first, split_year
from training.errors import DatasetError

TAGS = "tags"  # the attribute that holds an item's tags
TAGS_OF_AN_ITEM = 20  # the most frequent; more would drown what else is said of an item


class Columns:
    """Finds our columns in a row by the names that a description or custom gives them."""

    def __init__(self, table: str, spec: TableSpec) -> None:
        self._names = {
            ours: (spec.columns[ours],) if ours in spec.columns else usual for ours, usual in COLUMNS[table].items()
        }
        self._spec = spec

    def get(self, row: Row, ours: str) -> Any:
        for name in self._names[ours]:
            if name in row:
                return row[name]
        return None

    def require(self, row: Row, ours: str, path: Path) -> None:
        """Raises DatasetError where no row can have it, for the table has no such column."""
        if not any(name in row for name in self._names[ours]):
            raise DatasetError(
                f"{path}: no column for the {ours}; it has {', '.join(map(str, row))}. Name it in dataset.toml: "
                f'columns = {{ {ours} = "..." }}'
            )

    def remaining(self, row: Row) -> Iterator[tuple[str, Any]]:
        """What is kept as attributes: what dataset.toml lists, or all that has no other meaning."""
        if self._spec.attributes is not None:
            yield from ((name, row[name]) for name in self._spec.attributes if name in row)
            return
        claimed = {next((name for name in names if name in row), "") for names in self._names.values()}
        claimed.update(self._spec.flags)
        yield from ((name, value) for name, value in row.items() if name not in claimed)


def _each_row(
    table: str,
    path: Path,
    spec: TableSpec,
    rejects: Rejects,
    needs: tuple[str, ...],
    use: Callable[[Columns, Row], None],
) -> None:
    """Hands every row to `use`; where that raises BadRow the row is rejected."""
    columns = Columns(table, spec)
    checked = plain_name(path.name).endswith(JSON_LINES)  # each of their rows has its own columns
    for line, row in read_rows(path, spec, rejects):
        if not checked:
            for ours in needs:
                columns.require(row, ours, path)
            checked = True
        try:
            use(columns, row)
        except BadRow as reason:
            rejects.add(path.name, line, str(reason), row)


def read_events(table: str, path: Path, spec: TableSpec, rejects: Rejects, into: EventColumns) -> None:
    """Interactions, also those of an exported event log."""

    def use(columns: Columns, row: Row) -> None:
        into.add(*event_of(columns, row, spec))

    _each_row(table, path, spec, rejects, ("user", "item"), use)


def event_of(columns: Columns, row: Row, spec: TableSpec) -> tuple[str, str, str, float, float, str]:
    """User, item, type, value (NaN: none), time (NaN: none) and review of a row. Raises BadRow."""
    user = values.identifier(columns.get(row, "user"), "user")
    item = values.identifier(columns.get(row, "item"), "item")
    value = values.number(columns.get(row, "value"), "value")
    time = values.timestamp(columns.get(row, "timestamp"))
    review = values.text(columns.get(row, "text"), "text")
    kind = values.text(columns.get(row, "event"), "event") or spec.event or ("view" if math.isnan(value) else "rating")
    return user, item, kind, _stars(value, spec.scale) if kind in STARRED else value, time, review


def _stars(value: float, scale: tuple[float, float]) -> float:
    """A rating on the scale of one to five stars; half a star below one is still a rating."""
    worst, best = scale
    stars = value if scale == (1.0, 5.0) else 1.0 + 4.0 * (value - worst) / (best - worst)
    if not (math.isnan(stars) or -1e-9 <= stars <= 5.0 + 1e-9):
        raise BadRow("rating is outside its scale; dataset.toml can give another, as scale = [1, 10]")
    return stars


def read_sequences(path: Path, spec: TableSpec, rejects: Rejects, into: EventColumns) -> None:
    """Lines of a user and then items, oldest first. The order is the time."""
    with open_text(path, spec.encoding) as file:
        for line, content in enumerate(read_lines(file, path), 1):
            words = content.split()
            if not words:
                continue
            rejects.seen(path.name)
            try:
                user, *items = (values.identifier(word, "id") for word in words)
                if not items:
                    raise BadRow("a user without items")
            except BadRow as reason:
                rejects.add(path.name, line, str(reason), content)
                continue
            for item in items:
                into.add(user, item, spec.event or "view", math.nan, math.nan)
    rejects.finish(path.name)


def read_items(path: Path, spec: TableSpec, rejects: Rejects, into: dict[str, ItemInfo], notes: Counter[str]) -> None:
    textual = Path(plain_name(path.name)).suffix not in (*JSON_LINES, ".parquet")

    def use(columns: Columns, row: Row) -> None:
        item = _item(columns, row, spec, notes)
        if item.id in into:
            raise BadRow("the item is described on an earlier line")
        into[item.id] = item

    _each_row("items", path, spec, rejects, ("item",), use)
    if textual:
        _numbers_in_attributes(into)


def _item(columns: Columns, row: Row, spec: TableSpec, notes: Counter[str]) -> ItemInfo:
    attributes = _attributes(columns, row, notes)
    title = values.text(columns.get(row, "title"), "title")
    if spec.titles == "movie":
        title, year = split_year(title)
        title = article_first(title)
        if year is not None:
            attributes["year"] = year
        notes["titles without a year"] += year is None
    created = values.timestamp(columns.get(row, "created"))
    flagged = tuple(name for name in spec.flags if str(row.get(name)) == "1")
    return ItemInfo(
        id=values.identifier(columns.get(row, "item"), "item"),
        title=title,
        text=values.text(columns.get(row, "text"), "text"),
        categories=flagged or values.categories(columns.get(row, "categories"), spec.separator),
        attributes=attributes,
        created=0.0 if math.isnan(created) else created,
    )


def _attributes(columns: Columns, row: Row, notes: Counter[str]) -> dict[str, AttributeValue]:
    kept: dict[str, AttributeValue] = {}
    given = values.attribute_table(columns.get(row, "attributes"))
    for name, value in (*columns.remaining(row), *given.items()):
        try:
            found = values.attribute(value, values.text(name, "the name of an attribute"))
        except TypeError:
            notes[f"values of the attribute {name} left out, for they are nested"] += 1
            continue
        if found not in (None, ""):
            kept[name] = found
    return kept


def _numbers_in_attributes(items: dict[str, ItemInfo]) -> None:
    """CSV knows texts alone: an attribute that is written as a number in every row is one."""
    written: dict[str, bool] = {}
    for item in items.values():
        for name, value in item.attributes.items():
            if isinstance(value, str):
                written[name] = written.get(name, True) and values.is_number(value)
    numeric = {name for name, is_number in written.items() if is_number}
    if not numeric:
        return
    for key, item in items.items():
        changed = {
            name: float(value) for name, value in item.attributes.items() if name in numeric and isinstance(value, str)
        }
        items[key] = replace(item, attributes={**item.attributes, **changed})


def read_texts(path: Path, spec: TableSpec, rejects: Rejects, into: dict[str, ItemInfo]) -> None:
    """Descriptions; what an item already says of itself stays in front."""

    def use(columns: Columns, row: Row) -> None:
        item = _known(into, columns.get(row, "item"))
        more = values.text(columns.get(row, "text"), "text")
        into[item.id] = replace(item, text="\n".join(filter(None, (item.text, more))))

    _each_row("texts", path, spec, rejects, ("item", "text"), use)


def read_tags(path: Path, spec: TableSpec, rejects: Rejects, into: dict[str, ItemInfo]) -> None:
    """Tags as an attribute: in small letters, those most users gave first."""
    given: dict[str, Counter[str]] = {}

    def use(columns: Columns, row: Row) -> None:
        item = values.identifier(columns.get(row, "item"), "item")
        tag = values.text(columns.get(row, "tag"), "tag").strip().lower()
        if not tag:
            raise BadRow("no tag")
        given.setdefault(item, Counter())[tag] += 1

    _each_row("tags", path, spec, rejects, ("item", "tag"), use)
    for key, counts in given.items():
        item = _known(into, key)
        tags = sorted(counts, key=lambda tag: (-counts[tag], tag))[:TAGS_OF_AN_ITEM]
        into[key] = replace(item, attributes={**item.attributes, TAGS: tuple(tags)})


def read_opinions(path: Path, spec: TableSpec, rejects: Rejects, into: list[tuple[str, float]]) -> None:
    """Texts and the stars they stand for."""

    def use(columns: Columns, row: Row) -> None:
        text = values.text(columns.get(row, "text"), "text")
        stars = _stars(values.number(columns.get(row, "value"), "value"), spec.scale)
        if not text.strip():
            raise BadRow("no text")
        if math.isnan(stars):
            raise BadRow("no value")
        into.append((text, stars))

    _each_row("opinions", path, spec, rejects, ("text", "value"), use)


def read_users(
    path: Path, spec: TableSpec, rejects: Rejects, into: dict[str, Mapping[str, AttributeValue]], notes: Counter[str]
) -> None:
    def use(columns: Columns, row: Row) -> None:
        user = values.identifier(columns.get(row, "user"), "user")
        if user in into:
            raise BadRow("the user is described on an earlier line")
        kept: dict[str, AttributeValue] = {}
        for name, value in columns.remaining(row):
            try:
                kept[name] = values.attribute(value, name)
            except TypeError:
                notes[f"values of the users' attribute {name} left out, for they are nested"] += 1
        into[user] = kept

    _each_row("users", path, spec, rejects, ("user",), use)


def _known(items: dict[str, ItemInfo], value: Any) -> ItemInfo:
    item = values.identifier(value, "item")
    return items.get(item) or ItemInfo(id=item)
