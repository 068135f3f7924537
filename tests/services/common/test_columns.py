"""Numbers as bytes, and what is refused."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import History
from recmesh.rpc.status import RpcError, Status
from recmesh.v1 import common_pb2
from services.common import columns


def refusal(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(RpcError) as caught:
        work("field", *arguments)
    assert caught.value.status is Status.INVALID_ARGUMENT
    return caught.value.message


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_vectors_cross_the_wire_unchanged(values: list[float]) -> None:
    data = struct.pack(f"<{len(values)}f", *values)
    assert columns.packed(values) == data
    read = columns.vector("field", data, len(values))
    assert read is not None and read.tolist() == values


def test_no_bytes_are_no_vector() -> None:
    assert columns.vector("field", b"", 8) is None


def test_wrong_length_is_refused_with_both_lengths() -> None:
    assert refusal(columns.vector, b"1234", 2) == "field: 1 x 2 numbers of 4 bytes take 8 bytes, these are 4"
    assert refusal(columns.scores, b"12345", 1) == "field: 1 numbers of 4 bytes take 4 bytes, these are 5"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_vector_is_finite(value: float) -> None:
    assert refusal(columns.vector, struct.pack("<2f", 1.0, value), 2) == "field: not every number is finite"


def test_a_score_may_be_missing_but_not_infinite() -> None:
    assert np.isnan(columns.scores("field", struct.pack("<2f", 1.0, math.nan), 2)[1])
    assert refusal(columns.scores, struct.pack("<f", math.inf), 1) == "field: an infinite score"


def history(ids: list[str], weights: bytes, times: bytes) -> common_pb2.History:
    return common_pb2.History(item_ids=ids, weights=weights, timestamps=times)


def test_a_history_crosses_the_wire_unchanged() -> None:
    taken = History(["a", "b"], np.array([1, -1], np.float32), np.array([2e9, 1e9]))
    read = columns.history("field", columns.history_message(taken))
    assert list(read.item_ids) == ["a", "b"]
    assert read.weights.tolist() == [1.0, -1.0] and read.timestamps.tolist() == [2e9, 1e9]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (history(["a"], b"", b"12345678"), "field.weights: 1 numbers of 4 bytes take 4 bytes, these are 0"),
        (history(["a"], b"1234", b"1234"), "field.timestamps: 1 numbers of 8 bytes take 8 bytes, these are 4"),
        (history(["a", "a"], b"1" * 8, b"1" * 16), "field.item_ids: 'a' is there twice"),
        (history([""], b"1234", b"12345678"), "field.item_ids[0]: an id must not be empty"),
        (
            history(["a" * 257], b"1234", b"12345678"),
            "field.item_ids[0]: an id is at most 256 bytes of UTF-8, this one",
        ),
        (history(["a"], struct.pack("<f", math.nan), b"12345678"), "field.weights: not every number is finite"),
        (history(["a"], b"1234", struct.pack("<d", math.inf)), "field.timestamps: not every number is finite"),
        (
            history([str(n) for n in range(10_001)], b"", b""),
            "field.item_ids: at most 10,000 are taken at once, these ",
        ),
    ],
)
def test_a_wrong_history_is_refused_by_its_field(message: common_pb2.History, problem: str) -> None:
    assert refusal(columns.history, message).startswith(problem)
