"""Affinity: calls with the same key go to the same endpoint, for what it has cached of that key.

Rendezvous hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam): a key that is asked for by everybody spills
over to the next endpoints in its order, instead of drowning the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Final, TypeAlias

from recmesh.mesh.balancer import Picker
from recmesh.mesh.rendezvous import digest, score
from recmesh.mesh.replica import Replica
from recmesh.rpc import Call

BOUND: Final = 1.25  # of the mean in flight: a cache hit is worth waiting behind a quarter more calls, not behind all

Key: TypeAlias = Callable[[Call], str]
"""What a call's endpoint depends on; empty: it does not matter."""


def from_metadata(name: str) -> Key:
    """The key is what the caller wrote into its context's metadata."""

    def key(call: Call) -> str:
        value = call.context.metadata.get(name, "")
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value

    return key


class Affinity:
    """A Picker by the call's key; without a key, `otherwise` picks."""

    def __init__(self, key: Key, otherwise: Picker, bound: float = BOUND) -> None:
        self._key = key
        self._otherwise = otherwise
        self._bound = bound

    def __call__(self, call: Call, replicas: Sequence[Replica], now: float) -> Replica:
        key = self._key(call)
        if not key:
            return self._otherwise(call, replicas, now)
        most = ceil(self._bound * (1 + sum(each.in_flight for each in replicas)) / len(replicas))
        wanted, best, best_score = digest(key), replicas[0], -1
        for each in replicas:
            if each.in_flight < most and each.available:
                its = score(wanted, each.digest)
                if its > best_score:
                    best, best_score = each, its
        return best if best_score >= 0 else self._otherwise(call, replicas, now)
