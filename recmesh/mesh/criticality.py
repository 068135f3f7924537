"""Criticality: who is refused first when a process has too much to do.

The four classes and the idea that a caller's class travels with everything done on its behalf are those of Google's
"Site Reliability Engineering", chapter 21.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from recmesh.rpc import Context


class Criticality(IntEnum):
    """The numbers are those of wire.Criticality; the higher one goes first."""

    CRITICAL_PLUS = 1
    CRITICAL = 2
    SHEDDABLE_PLUS = 3
    SHEDDABLE = 4


SHARES: Final[Mapping[Criticality, float]] = {
    Criticality.CRITICAL_PLUS: 1.0,
    Criticality.CRITICAL: 0.95,
    Criticality.SHEDDABLE_PLUS: 0.8,
    Criticality.SHEDDABLE: 0.5,
}
"""Below which share of the limit a class is let in. So what matters most always finds some room."""

USUAL: Final = Criticality.CRITICAL  # of a call that says nothing, or what only a later version understands
AS_GIVEN: Final = {int(each): each for each in Criticality}
ONE_DOWN: Final = {each: AS_GIVEN.get(each + 1, Criticality.SHEDDABLE) for each in Criticality}


def criticality_of(context: Context) -> Criticality:
    """A retry or a hedge counts one class down: the first attempts of others have had no chance yet."""
    given = AS_GIVEN.get(context.criticality, USUAL)
    return ONE_DOWN[given] if context.attempt or context.hedge else given
