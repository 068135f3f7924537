"""Criticality."""

from __future__ import annotations

import pytest

from recmesh.mesh.criticality import SHARES, Criticality, criticality_of
from recmesh.rpc import Context
from recmesh.wire.v1 import wire_pb2 as wire


def test_the_numbers_are_those_of_the_wire() -> None:
    assert {each.name: int(each) for each in Criticality} == {
        name: number for name, number in wire.Criticality.items() if number
    }


@pytest.mark.parametrize("given", [0, 5, -1])
def test_what_says_nothing_that_is_understood_is_critical(given: int) -> None:
    assert criticality_of(Context(criticality=given)) is Criticality.CRITICAL


@pytest.mark.parametrize("context", [{"attempt": 1}, {"hedge": True}, {"attempt": 4, "hedge": True}])
def test_a_retry_or_a_hedge_counts_one_class_down(context: dict[str, int]) -> None:
    counted = [criticality_of(Context(criticality=each, **context)) for each in (0, *Criticality)]  # type: ignore[arg-type]
    assert counted == [3, 2, 3, 4, 4]


def test_the_more_critical_has_the_more_room() -> None:
    shares = [SHARES[each] for each in Criticality]
    assert shares == sorted(shares, reverse=True) and shares[0] == 1.0
