"""The way into a process under more than it can do: the door with all its filters, before a simulated processor."""

from __future__ import annotations

import random

import pytest

from recmesh.mesh.criticality import Criticality
from recmesh.mesh.door import Admission, Door, door
from recmesh.mesh.endpoints import Surroundings
from recmesh.rpc import Call, Service, stack
from recmesh.testing import FakeClock
from recmesh.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from recmesh.v1.health_rpc import HEALTH_CHECK
from tests.mesh.faults import nothing_unhandled
from tests.mesh.kit import Log, Outcome, Recorder
from tests.mesh.machine import Callers, Processor

__all__ = ["nothing_unhandled"]

pytestmark = pytest.mark.usefixtures("nothing_unhandled")

COST = 0.010  # seconds of a call
CAPACITY = 1 / COST
DEFAULTS = Admission()


class Process:
    """A door, a processor behind it, callers before it."""

    def __init__(self, seed: int, admission: Admission = DEFAULTS) -> None:
        self.clock, rng = FakeClock(), random.Random(seed)
        self.processor = Processor(self.clock, COST)
        self.door: Door = door(Surroundings(self.clock, rng, Recorder()), Log(), admission)
        self.service: Service = stack(*self.door.filters, to=self.processor)
        self.callers = Callers(self.clock, self.service, rng)

    def settle(self) -> None:
        self.clock.advance(5.0)
        assert self.callers.open == 0
        assert self.door.limit.in_flight == self.door.limit.waiting == 0
        assert not self.clock.timers


@pytest.mark.parametrize(("seed", "least"), [(1, DEFAULTS.least), (3, 20)])
def test_a01_twice_the_capacity_leaves_the_goodput_and_the_end_of_it_is_soon_forgotten(seed: int, least: int) -> None:
    process = Process(seed, Admission(least=least))
    callers, clock = process.callers, process.clock
    callers.offer(0.5 * CAPACITY, 10)
    begin = clock.seconds()
    callers.offer(2 * CAPACITY, 60)
    end = clock.seconds()
    assert callers.goodput(begin, end) >= 0.9 * CAPACITY
    assert callers.goodput(end - 5, end) >= 0.9 * CAPACITY  # it does not decay either
    assert callers.latency(0.99, begin, end) < callers.patience / 2
    assert {status for _, status, _ in callers.failed} == {"UNAVAILABLE"}  # refused, and none out of time
    callers.offer(0.7 * CAPACITY, 15)
    assert callers.share_answered(end + 5, end + 15) > 0.99
    assert callers.latency(0.99, end + 5, end + 15) < 20 * COST
    process.settle()


def test_a01_holds_when_those_who_are_refused_come_back() -> None:
    process = Process(11)
    callers, clock = process.callers, process.clock
    callers.attempts = 3
    callers.offer(0.5 * CAPACITY, 5)
    begin = clock.seconds()
    callers.offer(2 * CAPACITY, 15)
    end = clock.seconds()
    assert callers.goodput(begin, end) >= 0.9 * CAPACITY
    callers.offer(0.7 * CAPACITY, 10)
    assert callers.share_answered(end + 5, end + 10) > 0.99
    process.settle()


def test_without_a_limit_that_fits_the_same_load_leaves_next_to_nothing() -> None:
    """What the test above would see if the limit did not work."""
    process = Process(1, Admission(limit="fixed", fixed=100_000))
    process.callers.offer(2 * CAPACITY, 12)
    assert process.callers.goodput(6, 12) < 0.1 * CAPACITY


def test_a_start_into_overload_is_survived_as_well() -> None:
    process = Process(4)
    process.callers.offer(3 * CAPACITY, 12)
    assert process.callers.goodput(3, 12) >= 0.9 * CAPACITY
    process.settle()


def test_a02_what_can_be_shed_goes_before_what_is_critical() -> None:
    process = Process(6)
    ranks = list(Criticality)
    callers, rng = process.callers, random.Random(7)
    callers.offer(2 * CAPACITY, 20, lambda: rng.choices(ranks, [5, 35, 20, 40])[0])
    plus, critical, sheddable_plus, sheddable = (callers.share_answered(5, 20, rank) for rank in ranks)
    assert plus > 0.99
    assert critical > 0.95
    assert critical > sheddable_plus > sheddable
    assert sheddable < 0.5
    assert callers.goodput(5, 20) >= 0.9 * CAPACITY
    process.settle()


def test_a03_health_answers_throughout() -> None:
    process = Process(9)

    async def handler(call: Call) -> HealthCheckResponse | object:
        return HealthCheckResponse() if call.method is HEALTH_CHECK else await process.processor(call)

    service = stack(*process.door.filters, to=handler)  # type: ignore[arg-type]
    for _ in range(20):
        process.callers.offer(3 * CAPACITY, 0.25)
        assert Outcome(service(Call(HEALTH_CHECK, HealthCheckRequest()))).result() == HealthCheckResponse()
    assert process.callers.failed  # there was more than could be answered
    process.settle()
