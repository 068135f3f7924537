"""Columns of numbers as they travel: little-endian bytes, one number after the other."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final

FLOAT: Final = 4  # bytes
INT: Final = 4
DOUBLE: Final = 8


def floats(data: bytes) -> Sequence[float]:
    column: Sequence[float] = _read("f", data)
    return column


def ints(data: bytes) -> Sequence[int]:
    column: Sequence[int] = _read("i", data)
    return column


def pack_floats(values: Iterable[float]) -> bytes:
    return _write(array("f", values))


def pack_doubles(values: Iterable[float]) -> bytes:
    return _write(array("d", values))


def pack_ints(values: Iterable[int]) -> bytes:
    return _write(array("i", values))


def _read(kind: str, data: bytes) -> Any:
    column = array(kind)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _write(column: array[Any]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


NO_OPINION: Final = pack_floats([float("nan")])
NO_ENTRY: Final = pack_ints([-1])
