"""Single fields of a row: ids, numbers, times, texts, lists. What cannot be read raises BadRow."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from models.data import AttributeValue
from training.datasets.rejects import BadRow

MAX_ID_BYTES: Final = 256  # as in every request to the mesh
LATEST: Final = 253_402_300_800e9  # the end of the year 9999 in nanoseconds, the finest unit that is told apart
NO_CATEGORY: Final = "(no genres listed)"  # MovieLens writes it for none
# Written without needless zeros: 007 and 1.10 are names, not numbers.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]*[1-9])?")


def identifier(value: Any, what: str) -> str:
    """An id as a string. Tables that other programs wrote may hold whole numbers, also as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        raise BadRow(f"no {what}")
    if not isinstance(value, str):
        raise BadRow(f"{what} is not an id")
    if len(value) > MAX_ID_BYTES or len(_bytes(value, what)) > MAX_ID_BYTES:
        raise BadRow(f"{what} is longer than {MAX_ID_BYTES} bytes")
    return value


def text(value: Any, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow(f"{what} is not a text")
    _bytes(value, what)
    return value


def _bytes(value: str, what: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:  # a lone surrogate: how undecodable bytes arrive, or broken JSON
        raise BadRow(f"{what} has bytes that are not of the encoding") from error


def number(value: Any, what: str) -> float:
    """NaN where there is none."""
    if value is None or value == "":
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or "_" in str(value):
        raise BadRow(f"{what} is not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise BadRow(f"{what} is not a number") from error
    if not math.isfinite(found):
        raise BadRow(f"{what} is not a finite number")
    return found


def timestamp(value: Any) -> float:
    """A Unix time in the unit of the source, or an ISO 8601 date (UTC where it does not say); NaN: none."""
    if isinstance(value, date):  # of Parquet; a datetime is one too
        value = value.isoformat()
    try:
        found = number(value, "timestamp")
    except BadRow:
        found = _iso_time(value)
    if found < 0:
        raise BadRow("timestamp is before 1970")
    if found > LATEST:
        raise BadRow("timestamp is after the year 9999")
    return found


def _iso_time(value: Any) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise BadRow("timestamp is neither a Unix time nor an ISO 8601 date") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def categories(value: Any, separator: str) -> tuple[str, ...]:
    """From a list, or from one text with separators; each once, in order."""
    if value is None:
        return ()
    parts: Iterable[Any] = value.split(separator) if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise BadRow("categories is neither a list nor a text")
    names = (text(part, "categories").strip() for part in parts)
    return tuple(dict.fromkeys(name for name in names if name and name != NO_CATEGORY))


def attribute_table(value: Any) -> Mapping[str, Any]:
    """The column `attributes`: an object, in CSV as JSON."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise BadRow("attributes is not a JSON object") from error
    if not value:
        return {}
    if not isinstance(value, dict):
        raise BadRow("attributes is not an object")
    return value


def attribute(value: Any, name: str) -> AttributeValue:
    """A value that filters and answers can carry. Raises TypeError for nested ones."""
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return tuple(text(one, name) for one in value)
    if isinstance(value, str):
        return text(value, name)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        found = number(value, name)
        return found if abs(value) > 2**53 else value
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(name)


def is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None
