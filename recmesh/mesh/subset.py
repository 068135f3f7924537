"""Subset: which of very many endpoints one caller uses.

A caller of hundreds of endpoints sends each so little that its latencies mean nothing, and every process would hold a
connection to every other. Twenty are enough to balance over; each caller has its own twenty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from recmesh.mesh.rendezvous import digest, score
from recmesh.mesh.resolver import EndpointAddress

MOST: Final = 20


def subset(endpoints: Sequence[EndpointAddress], caller: str, most: int = MOST) -> Sequence[EndpointAddress]:
    """The `most` of highest score for this caller, in the order given; one that leaves makes room for one other."""
    if len(endpoints) <= most:
        return endpoints
    key = digest(caller)
    chosen = sorted(endpoints, key=lambda each: score(key, digest(each.id)), reverse=True)[:most]
    ids = {each.id for each in chosen}
    return [each for each in endpoints if each.id in ids]
