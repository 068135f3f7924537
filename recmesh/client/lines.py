"""Events and items from JSON lines: one object a line, with the fields of the value as keys."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from recmesh.client.values import Event, Item

T = TypeVar("T", Event, Item)

Kind: TypeAlias = tuple[str, Callable[[Any], bool]]

TEXT: Final[Kind] = ("a string", lambda value: isinstance(value, str))
NUMBER: Final[Kind] = ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
TEXTS: Final[Kind] = (
    "a list of strings",
    lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
)
OBJECT: Final[Kind] = ("an object", lambda value: isinstance(value, dict))

EVENT_KEYS: Final = {
    "user_id": TEXT,
    "item_id": TEXT,
    "type": TEXT,
    "value": NUMBER,
    "timestamp": NUMBER,
    "text": TEXT,
    "impression_id": TEXT,
    "event_id": TEXT,
}
ITEM_KEYS: Final = {
    "id": TEXT,
    "title": TEXT,
    "text": TEXT,
    "categories": TEXTS,
    "attributes": OBJECT,
    "created": NUMBER,
}


class LineError(ValueError):
    """A line that is no event or item; the message names the file, the line and the reason."""


def events(lines: Iterable[bytes], name: str) -> Iterator[Event]:
    """Raises LineError. `name`: of the file, for messages."""
    return _values(lines, name, Event, EVENT_KEYS, ("user_id", "item_id"))


def items(lines: Iterable[bytes], name: str) -> Iterator[Item]:
    """Raises LineError. `name`: of the file, for messages."""
    return _values(lines, name, Item, ITEM_KEYS, ("id",))


def _values(
    lines: Iterable[bytes], name: str, kind: type[T], keys: Mapping[str, Kind], needed: Iterable[str]
) -> Iterator[T]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield kind(**_checked(line, keys, needed))
        except ValueError as error:
            raise LineError(f"{name}, line {number}: {error}") from None


def _checked(line: bytes, keys: Mapping[str, Kind], needed: Iterable[str]) -> dict[str, Any]:
    try:
        given = json.loads(line.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError(f"expected an object, found {_short(given)}")
    for key, value in given.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            raise ValueError(f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        words, fits = keys[key]
        if value is not None and not fits(value):
            raise ValueError(f"{key} must be {words}, not {_short(value)}")
    for key in needed:
        if not given.get(key):
            raise ValueError(f"{key} is missing")
    return {key: value for key, value in given.items() if value not in (None, "")}


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}..."
