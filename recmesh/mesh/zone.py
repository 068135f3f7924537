"""Zone: calls stay where their caller is, as far as the endpoints there can bear them.

A call into another zone takes longer and is paid for. But callers who all stay at home overload a zone that has lost
half of its endpoints. As Envoy's zone-aware routing does it, a zone whose share of the endpoints that can be used is
smaller than its share of the callers sends the rest elsewhere. How many callers each zone has nobody tells, so they are
taken to be spread evenly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from recmesh.mesh.balancer import Picker
from recmesh.mesh.replica import Replica
from recmesh.rpc import Call

LEAST: Final = 2  # usable endpoints that a zone is preferred for: with one there is nobody beside a slow one to choose


class NearFirst:
    """A Picker that offers another one the endpoints of this caller's zone, or those of the others."""

    def __init__(self, zone: str, picker: Picker, rng: random.Random) -> None:
        self._zone = zone
        self._picker = picker
        self._random = rng.random

    def __call__(self, call: Call, replicas: Sequence[Replica], now: float) -> Replica:
        near = [each for each in replicas if each.where.zone == self._zone]
        far = [each for each in replicas if each.where.zone != self._zone]
        if near and far:
            replicas = near if self._random() < self._share(near, far) else far
        return self._picker(call, replicas, now)

    def _share(self, near: Sequence[Replica], far: Sequence[Replica]) -> float:
        """Of the calls of this zone's callers, how many its endpoints can bear; 1 or more: all."""
        here = [each for each in near if _usable(each)]
        there = [each for each in far if _usable(each)]
        if not there:
            return 1.0
        mine, theirs = (sum(each.where.weight for each in some) for some in (here, there))
        if len(here) < LEAST:
            return mine / (mine + theirs)
        zones = 1 + len({each.where.zone for each in there})
        return zones * mine / (mine + theirs)


def _usable(replica: Replica) -> bool:
    return replica.available and not replica.health.failing
