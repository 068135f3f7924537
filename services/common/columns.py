"""Numbers as they cross the wire: little-endian bytes, one number after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.data import Float32, History, Int32
from models.histories import SEEN_LIMIT
from recmesh.v1 import common_pb2
from services.common.checks import check_different, check_ids, invalid

FLOAT32: Final = np.dtype("<f4")
FLOAT64: Final = np.dtype("<f8")
INT32: Final = np.dtype("<i4")

N = TypeVar("N", bound=np.generic)


def vector(field: str, data: bytes, dimension: int) -> Float32 | None:
    """One vector of finite numbers; no bytes: None."""
    return matrix(field, data, 1, dimension)[0] if data else None


def matrix(field: str, data: bytes, rows: int, dimension: int) -> Float32:
    """`rows` vectors of finite numbers, (rows, dimension)."""
    values: Float32 = _read(field, data, FLOAT32, rows * dimension, f"{rows} x {dimension}")
    return _finite(field, values).reshape(rows, dimension)


def scores(field: str, data: bytes, count: int) -> Float32:
    """One number a candidate; NaN: no opinion."""
    values: Float32 = _read(field, data, FLOAT32, count, f"{count}")
    if np.isinf(values).any():
        raise invalid(field, "an infinite score")
    return values


def history(field: str, message: common_pb2.History) -> History:
    """A history of at most SEEN_LIMIT entries, each of another item."""
    ids = list(message.item_ids)
    check_ids(f"{field}.item_ids", ids, SEEN_LIMIT)
    check_different(f"{field}.item_ids", ids)
    weights = _read(f"{field}.weights", message.weights, FLOAT32, len(ids), f"{len(ids)}")
    times = _read(f"{field}.timestamps", message.timestamps, FLOAT64, len(ids), f"{len(ids)}")
    return History(ids, _finite(f"{field}.weights", weights), _finite(f"{field}.timestamps", times))


def history_message(taken: History) -> common_pb2.History:
    weights, times = packed(taken.weights, FLOAT32), packed(taken.timestamps, FLOAT64)
    return common_pb2.History(item_ids=taken.item_ids, weights=weights, timestamps=times)


def packed(values: NDArray[Any] | Sequence[float], kind: np.dtype[Any] = FLOAT32) -> bytes:
    return np.ascontiguousarray(values, dtype=kind).tobytes()


def packed_int32(values: Int32) -> bytes:
    return packed(values, INT32)


def _read(field: str, data: bytes, kind: np.dtype[N], count: int, what: str) -> NDArray[N]:
    if len(data) != count * kind.itemsize:
        message = (
            f"{what} numbers of {kind.itemsize} bytes take {count * kind.itemsize:,} bytes, these are {len(data):,}"
        )
        raise invalid(field, message)
    return np.frombuffer(data, dtype=kind)


def _finite(field: str, values: NDArray[N]) -> NDArray[N]:
    if not np.isfinite(values).all():
        raise invalid(field, "not every number is finite")
    return values
