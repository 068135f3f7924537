"""Limits on ids and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.rpc.status import RpcError
from services.common.checks import LONGEST_ID, check_id, check_ids, check_text, too_long


@given(st.text(max_size=300))
def test_an_id_is_1_to_256_bytes_of_utf_8(value: str) -> None:
    fits = 1 <= len(value.encode()) <= LONGEST_ID
    try:
        check_ids("field", [value], 1)
    except RpcError:
        assert not fits
    else:
        assert fits


@given(st.text(max_size=100), st.integers(0, 100))
def test_length_is_counted_in_bytes(value: str, most: int) -> None:
    assert too_long(value, most) == (len(value.encode()) > most)


def test_any_character_may_stand_in_an_id() -> None:
    for value in ("\0", " ", "\n", "a/b", "\U0001f600" * 64, "'; DROP TABLE events"):
        check_id("field", value)


def test_the_wrong_entry_is_named() -> None:
    with pytest.raises(RpcError, match=r"field\[1\]: an id must not be empty"):
        check_ids("field", ["a", ""], 2)
    with pytest.raises(RpcError, match="at most 1 are taken at once, these are 2"):
        check_ids("field", ["a", "b"], 1)
    with pytest.raises(RpcError, match="at most 3 bytes of UTF-8, these are 4"):
        check_text("field", "abcd", 3)
