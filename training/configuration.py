"""TOML into frozen dataclasses: unknown keys are refused with the nearest known one, wrong types by name."""

from __future__ import annotations

import difflib
import math
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class ConfigurationProblem(ValueError):  # noqa: N818 - the caller makes an error of it
    """What is wrong and where inside the file; the caller says which file."""


def read_toml(path: Path) -> dict[str, Any]:
    """Raises ConfigurationProblem where the file is missing, not UTF-8 or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationProblem(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationProblem("is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationProblem(f"is not valid TOML: {error}") from error


def build(cls: type[T], values: Mapping[str, Any], place: str = "") -> T:
    """An instance of the dataclass `cls` from `values`; its defaults fill what is not there."""
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    filled = {}
    for key, value in values.items():
        where = f"{place}.{key}" if place else key
        if key not in known:
            raise ConfigurationProblem(unknown_key(key, known, place))
        filled[key] = _convert(hints[key], value, where)
    try:
        return cls(**filled)
    except ValueError as error:
        raise ConfigurationProblem(f"{place or 'settings'}: {error}") from error


def unknown_key(key: str, known: Iterable[str], place: str) -> str:
    inside = f" in [{place}]" if place else ""
    names = sorted(known)
    nearest = difflib.get_close_matches(key, names, n=1)
    hint = f'did you mean "{nearest[0]}"?' if nearest else f"known are: {', '.join(names)}"
    return f'unknown key "{key}"{inside}; {hint}'


def _convert(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotation `kind` asks for; whole numbers serve as floats."""
    if kind is Any:
        return value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _convert(next(one for one in inner if one is not type(None)), value, where)
    if is_dataclass(kind) and isinstance(kind, type):
        return build(kind, _expect(dict, value, where), where)
    if origin is tuple:
        return _convert_tuple(inner, _expect(list, value, where), where)
    if origin is not None:  # Mapping[str, X]
        return {key: _convert(inner[1], one, f"{where}.{key}") for key, one in _expect(dict, value, where).items()}
    if kind is float and type(value) is int and abs(value) <= 2**53:
        return float(value)
    return _expect(kind, value, where)


def _convert_tuple(inner: tuple[Any, ...], value: list[Any], where: str) -> tuple[Any, ...]:
    kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    if len(kinds) != len(value):
        raise ConfigurationProblem(f"{where} needs {len(kinds)} values, it has {len(value)}")
    return tuple(_convert(kind, one, f"{where}[{n}]") for n, (kind, one) in enumerate(zip(kinds, value, strict=True)))


_NAMES = {
    dict: "a table",
    list: "an array",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _expect(kind: type[T], value: Any, where: str) -> T:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationProblem(f"{where} must be finite, it is {value!r}")
    if type(value) is not kind:
        raise ConfigurationProblem(f"{where} must be {_NAMES.get(kind, kind.__name__)}, it is {value!r}")
    return value
