"""Mappings as TOML, as far as settings need it: tables, strings, numbers, truths, and arrays of these."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def dumps(values: Mapping[str, Any]) -> str:
    """What is None is left out: TOML has no word for it, and settings take their default."""
    return "\n".join(_table(values, ())).strip() + "\n"


def _table(values: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    own = {key: value for key, value in values.items() if key not in inner and value is not None}
    if own and place:
        yield f"\n[{'.'.join(map(_key, place))}]"
    yield from (f"{_key(key)} = {_value(value)}" for key, value in own.items())
    for key, value in inner.items():
        yield from _table(value, (*place, key))


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and "e" in repr(value) and "." not in repr(value):
        return repr(value).replace("e", ".0e")
    return repr(value)


def _string(text: str) -> str:
    """TOML's basic strings are JSON's, but for one control character that JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
