"""Balancer: which of the replicas an attempt goes to.

Power of two choices (Mitzenmacher): of two replicas taken by chance the one of lower cost. It needs no view of all of
them, spreads nearly as evenly as taking the best of all, and callers do not all take the same one at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from recmesh.mesh.ejection import State
from recmesh.mesh.replica import Replica
from recmesh.rpc import Call, Origin, Processed, RpcError, Status

MORE: Final = 4  # are drawn at most: were all of them failing, it would be for nothing


class Picker(Protocol):
    """Takes one of several replicas, of which there is at least one."""

    def __call__(self, call: Call, replicas: Sequence[Replica], now: float) -> Replica: ...


class LeastCost:
    """The one of lower cost of two taken by chance.

    Where even that one has just failed, others are drawn: with a third of the endpoints gone at once, every ninth call
    would meet two of them, long before any is ejected.

    One in slow start is often not considered, however little it would cost: a cost of ten times as much would keep it
    from every call while there is little traffic, and then let all of them come at once.
    """

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random

    def __call__(self, call: Call, replicas: Sequence[Replica], now: float) -> Replica:
        count = len(replicas)
        if count == 1:
            return replicas[0]
        first = int(self._random() * count)
        second = int(self._random() * (count - 1))
        found = self._better(replicas[first], replicas[second + (second >= first)], now)
        for _ in range(MORE):
            if not found.health.in_a_row:
                break
            found = self._better(found, replicas[int(self._random() * count)], now)
        return found

    def _better(self, one: Replica, other: Replica, now: float) -> Replica:
        if not one.available:
            one.pass_over()
            return other
        if not other.available:
            other.pass_over()
            return one
        if one.away or other.away:  # what they cost was before
            one.look_again(now)
            other.look_again(now)
        if now < one.warm_from and self._random() >= one.warmth(now):
            return other
        if now < other.warm_from and self._random() >= other.warmth(now):
            return one
        return one if one.cost(now) <= other.cost(now) else other


class Balancer:
    """Sends each attempt to one of the replicas. Is a Service.

    Left out, while there are others: those that are ejected, those that earlier attempts of the call went to, and those
    that are connecting, backing off, draining or not ready. With too few usable at all, ejections are ignored.
    """

    def __init__(self, name: str, seconds: Callable[[], float], picker: Picker, panic_share: float = 0.5) -> None:
        self.panic = False
        self._name = name
        self._seconds = seconds
        self._picker = picker
        self._panic_share = panic_share
        self._replicas: Sequence[Replica] = ()
        self._out: Sequence[Replica] = ()  # ejected or on probation
        self._active: Sequence[Replica] = ()  # what is picked from where nothing speaks against it

    def use(self, replicas: Sequence[Replica]) -> None:
        """From now on these; calls at others go on."""
        self._replicas = tuple(replicas)
        self.refresh()

    def refresh(self) -> None:
        """The health of a replica has changed."""
        every = self._replicas
        self._out = [each for each in every if each.health.state is not State.HEALTHY]
        usable = sum(each.available and not each.health.failing for each in every)
        self.panic = bool(self._out) and usable < self._panic_share * len(every)
        self._active = every
        if self._out and not self.panic:
            self._active = [each for each in every if each.health.state is State.HEALTHY] or every

    def __call__(self, call: Call) -> Coroutine[Any, Any, Message]:
        if not self._replicas:
            return self._nowhere()
        now = self._seconds()
        replica = self._pick(call, now)
        if replica.away:
            replica.look_again(now)
        call.tried.add(replica.where.id)
        return replica(call)

    def elsewhere(self, call: Call) -> bool:
        """Whether there is a usable replica that the call has not been to."""
        return any(each.available and each.where.id not in call.tried for each in self._active)

    def _pick(self, call: Call, now: float) -> Replica:
        if self._out and (probe := self._probe(call, now)):
            return probe
        if not call.tried:
            replica = self._picker(call, self._active, now)
            if replica.available:
                return replica
        return self._picker(call, self._best(call.tried), now)

    def _probe(self, call: Call, now: float) -> Replica | None:
        """One whose ejection is over, if this call is to find out how it is.

        A second attempt goes where it is safe, and how a stream ends would be known too late.
        """
        if call.tried or call.streams:
            return None
        for replica in self._out:
            if replica.available and replica.health.takes_probe(now, safe=call.method.idempotent):
                return replica
        return None

    def _best(self, tried: set[str]) -> Sequence[Replica]:
        """Those that least speaks against."""
        if self._out:
            self.refresh()  # what is connected may have changed, and with it whether it is time to panic

        def rank(replica: Replica) -> int:
            ejected = replica.health.state is not State.HEALTHY and not self.panic
            return 4 * ejected + 2 * (replica.where.id in tried) + (not replica.available)

        ranks = [rank(replica) for replica in self._replicas]
        least = min(ranks)
        return [replica for replica, its in zip(self._replicas, ranks, strict=True) if its == least]

    async def _nowhere(self) -> Message:
        message = f"no endpoint of {self._name} is known"
        raise RpcError(Status.UNAVAILABLE, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)
