"""Settings as TOML: what is written is read back the same."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from training.toml import dumps

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False), words)
tables = st.recursive(
    st.dictionaries(words, st.one_of(values, st.lists(values, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(words, st.one_of(values, inner), max_size=4),
)


@given(tables)
def test_tables_come_back(table: dict[str, object]) -> None:
    assert tomllib.loads(dumps(table)) == without_empty(table)


def without_empty(table: dict[str, object]) -> dict[str, object]:
    """A table without a value of its own, inside or below, has no line."""
    found = {key: without_empty(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in found.items() if value != {}}


def test_it_reads_well() -> None:
    settings = {"max_rejects": 0.5, "fit": {"seed": 1, "ials": {"dimension": 32, "regularization": None}}}
    assert dumps(settings) == "max_rejects = 0.5\n\n[fit]\nseed = 1\n\n[fit.ials]\ndimension = 32\n"
