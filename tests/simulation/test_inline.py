"""A process whose handlers do all their work at once, on its one thread: what is too much waits unread."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import pytest
from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.mesh.criticality import Criticality
from recmesh.mesh.door import door
from recmesh.mesh.endpoints import Surroundings
from recmesh.mesh.lag import Lag
from recmesh.mesh.log import Silent
from recmesh.mesh.metrics import Unrecorded
from recmesh.rpc import Call, Context, RpcError, Service, stack, tx
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH
from tests.simulation.process import FOUND, READING
from tests.simulation.reactor import Reactor
from tests.simulation.world import ASKED

PATIENCE: Final = 1.0  # seconds that a caller waits
CRITICAL: Final = int(Criticality.CRITICAL)

Came = tuple[float, int]
"""When a call comes to the socket, and its criticality."""


class OneThread:
    """Takes turns as a reactor does: what is due, then all that has come to the socket, each call to its end."""

    def __init__(self, cost: float, seed: int, *, guarded: bool = True) -> None:
        self.cost = cost
        self.capacity = 1 / cost
        self.took: list[tuple[float, int, float]] = []  # of answers: when the call came, its criticality, how long
        self.refused: list[Came] = []
        self.longest_turn = 0.0
        self._reactor = Reactor()
        self._rng = random.Random(seed)
        clock = tx.Clock(self._reactor)
        lag = Lag(clock)
        if guarded:
            self._watching = Deferred.fromCoroutine(lag.watch())
        way_in = door(Surroundings(clock, self._rng, Unrecorded()), Silent(), lag=lag)
        self._service: Service = stack(*way_in.filters, to=self._handle)
        self._offered: list[Came] = []  # the next one last

    async def _handle(self, call: Call) -> Message:
        self._reactor.spend(self.cost)
        return FOUND

    def offer(self, load: float, seconds: float, share_sheddable: float = 0.0) -> tuple[float, float]:
        """So many times what it can answer; when that began and ended."""
        begin = self._reactor.seconds()
        self._offered = sorted([*self._offered, *self._calls(begin, seconds, load, share_sheddable)], reverse=True)
        while self._reactor.seconds() < begin + seconds:
            self._turn(begin + seconds)
        return begin, begin + seconds

    def _calls(self, begin: float, seconds: float, load: float, share_sheddable: float) -> Iterator[Came]:
        at = begin
        while (at := at + self._rng.expovariate(load * self.capacity)) < begin + seconds:
            sheddable = self._rng.random() < share_sheddable
            yield at, int(Criticality.SHEDDABLE if sheddable else Criticality.CRITICAL)

    def _turn(self, until: float) -> None:
        reactor, offered = self._reactor, self._offered
        reactor.run(reactor.seconds())
        begin = reactor.seconds()
        read = []
        while offered and offered[-1][0] <= begin:
            read.append(offered.pop())
        if not read:
            due = min((each.getTime() for each in reactor.getDelayedCalls()), default=until)
            reactor.run(min([due, until, *(at for at, _ in offered[-1:])]))
        for at, criticality in read:
            reactor.spend(READING * self.cost)
            Deferred.fromCoroutine(self._answer(at, criticality))
        self.longest_turn = max(self.longest_turn, reactor.seconds() - begin)

    async def _answer(self, at: float, criticality: int) -> None:
        """The time that a call has is counted from when it is read: nobody knows how long it lay in the socket."""
        context = Context(self._reactor.seconds() + PATIENCE, criticality=criticality)
        try:
            await self._service(Call(RETRIEVAL_SEARCH, ASKED, context))
        except RpcError:
            self.refused.append((at, criticality))
        else:
            self.took.append((at, criticality, self._reactor.seconds() - at))

    def goodput(self, begin: float, end: float) -> float:
        """Answers in time, as a share of what can be answered."""
        return sum(begin <= at < end and took <= PATIENCE for at, _, took in self.took) / (end - begin) / self.capacity

    def slowest(self, begin: float, end: float) -> float:
        return max(took for at, _, took in self.took if begin <= at < end)

    def share_answered(self, begin: float, end: float, criticality: int = CRITICAL) -> float:
        good = sum(begin <= at < end and rank == criticality for at, rank, _ in self.took)
        return good / (good + sum(begin <= at < end and rank == criticality for at, rank in self.refused))


@pytest.mark.parametrize("cost", [0.001, 0.010, 0.050])
def test_a01_holds_where_no_more_than_one_call_is_ever_in_flight(cost: float) -> None:
    process = OneThread(cost, seed=2)
    process.offer(0.5, 3.0)
    begin, end = process.offer(2.0, 10.0)
    assert process.goodput(begin, end) >= 0.9
    assert process.slowest(begin, end) < 0.6 * PATIENCE
    assert process.longest_turn < 0.25 + 0.1 + 2 * cost
    process.offer(0.7, 5.0)
    assert process.share_answered(*process.offer(0.7, 5.0)) == 1.0


def test_a02_what_can_be_shed_goes_first() -> None:
    process = OneThread(0.010, seed=3)
    over = process.offer(2.0, 10.0, share_sheddable=0.6)
    assert process.share_answered(*over) > 0.95
    assert process.share_answered(*over, int(Criticality.SHEDDABLE)) < 0.5
    assert process.goodput(*over) >= 0.9


def test_nothing_is_refused_where_all_can_be_answered() -> None:
    process = OneThread(0.010, seed=4)
    process.offer(0.8, 20.0)
    assert not process.refused


def test_a_burst_that_is_over_soon_is_answered() -> None:
    process = OneThread(0.010, seed=5)
    process.offer(0.5, 1.0)
    process.offer(10.0, 0.02)
    process.offer(0.5, 2.0)
    assert not process.refused


def test_without_the_guard_the_same_load_leaves_next_to_nothing() -> None:
    """What the first test would see if lateness were not looked at."""
    process = OneThread(0.010, seed=2, guarded=False)
    process.offer(2.0, 5.0)
    assert process.goodput(*process.offer(2.0, 10.0)) < 0.1
