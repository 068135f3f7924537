"""Values of settings: checked against a type, or read from the text of an environment variable.

The types are str, int, float, bool, Path, `X | None`, tuple[X, ...] and Mapping[str, X] of these.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin


def convert(hint: Any, value: Any) -> Any:
    """What TOML gave as a `hint`; ValueError says in a noun what it must be."""
    if optional := _inner_of_optional(hint):
        return convert(optional, value)
    if get_origin(hint) is tuple:
        if isinstance(value, list | tuple):
            return tuple(convert(get_args(hint)[0], each) for each in value)
        raise ValueError(f"a list of which each is {_noun(get_args(hint)[0])}")
    if get_origin(hint) is not None and issubclass(get_origin(hint), Mapping):
        if isinstance(value, Mapping):
            return {name: convert(get_args(hint)[1], each) for name, each in value.items()}
        raise ValueError(f"a table of which each value is {_noun(get_args(hint)[1])}")
    return _scalar(hint, value)


def _scalar(hint: Any, value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number and math.isfinite(value):
        return float(value)
    if hint is int and number and isinstance(value, int):
        return value
    if hint is bool and isinstance(value, bool):
        return value
    if hint is str and isinstance(value, str):
        return value
    if hint is Path and isinstance(value, str | Path) and str(value):
        return Path(value)
    raise ValueError(_noun(hint))


def parse(hint: Any, text: str) -> Any:
    """The value that an environment variable's `text` stands for; ValueError as above."""
    if optional := _inner_of_optional(hint):
        return parse(optional, text)
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        separator = ";" if get_origin(inner) is tuple else ","
        return tuple(parse(inner, part.strip()) for part in text.split(separator) if part.strip())
    if hint is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(_noun(bool))
        return text.lower() in ("true", "1")
    if hint in (int, float):
        try:
            return _scalar(hint, hint(text))
        except ValueError:
            raise ValueError(_noun(hint)) from None
    return _scalar(hint, text)


def fits_a_variable(hint: Any) -> bool:
    """False for tables: they are set in the file alone."""
    origin = get_origin(_inner_of_optional(hint) or hint)
    return origin in (None, tuple)


def _inner_of_optional(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return None


def _noun(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a list of which each is {_noun(get_args(hint)[0])}"
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    return names.get(hint, str(hint))
