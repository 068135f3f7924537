"""Every scenario, small: a dozen processes, a minute or less. None ends in a state that outlasts its cause."""

from __future__ import annotations

from typing import Final

import pytest

from tests.mesh.faults import nothing_unhandled
from tests.simulation import scenarios
from tests.simulation.process import Work
from tests.simulation.scenarios import Played, Scenario, play
from tests.simulation.table import RECOVERY, Row, row_of
from tests.simulation.world import Size, World

__all__ = ["nothing_unhandled"]

pytestmark = pytest.mark.usefixtures("nothing_unhandled")

SMALL: Final = Size(endpoints=10, clients=4, work=Work(seconds=0.02))
PATIENCE: Final = 1.0  # seconds that a call of these callers takes at most
BUDGET: Final = 0.1  # attempts beyond the first, a call
FLOOR: Final = 2.0  # and a second, of each caller, with what had been saved before the fault


def seen(scenario: Scenario) -> Row:
    """What holds whatever happens, and the rest to look at."""
    played = play(scenario, SMALL)
    row = row_of(played)
    assert row.recovery_s <= RECOVERY
    assert row.longest_s <= PATIENCE + 1e-9
    (fault,) = played.faults
    during = fault.end - fault.begin
    assert row.amplification <= 1 + BUDGET + FLOOR * SMALL.clients * during / (row.offered_per_s * during)
    assert_nothing_is_left(played)
    return row


def assert_nothing_is_left(played: Played) -> None:
    world = played.world
    for caller in world.callers:
        breaker = caller.upstream.breaker
        assert (breaker.in_flight, breaker.queued) == (0, 0)
        assert all(replica.in_flight == 0 for replica in caller.replicas)
    for process in world.processes:
        assert (process.door.limit.in_flight, process.door.limit.waiting) == (0, 0)


def test_a_slow_replica_is_hardly_noticed() -> None:
    row = seen(scenarios.SLOW_REPLICA)
    assert row.failed == 0
    assert row.p99_ms < 200  # it alone would take as long as that in the mean


def test_an_endpoint_that_fails_fast_draws_no_calls() -> None:
    row = seen(scenarios.FAST_FAILER)
    assert row.failed < 0.001 * row.calls


def test_a_zone_that_is_lost_costs_few_calls() -> None:
    row = seen(scenarios.ZONE_LOSS)
    assert row.failed < 0.001 * row.calls


def test_a_rolling_restart_loses_no_call() -> None:
    assert seen(scenarios.ROLLING_RESTART).failed == 0


def test_a_retry_storm_ends_with_what_caused_it() -> None:
    assert seen(scenarios.RETRY_STORM).goodput_per_s < 0.2 * SMALL.capacity  # it was one


def test_all_may_restart_at_once_with_empty_caches() -> None:
    assert seen(scenarios.COLD_RESTART).goodput_per_s == 0


def test_twice_the_load_leaves_the_goodput_at_the_capacity() -> None:
    row = seen(scenarios.OVERLOAD)
    assert row.offered_per_s > 1.9 * SMALL.capacity
    assert row.goodput_per_s >= 0.9 * SMALL.capacity


def test_the_same_seed_gives_the_same_calls() -> None:
    first, second = (row_of(play(scenarios.COLD_RESTART, Size(4, 2, work=Work(0.02)), seed=7)) for _ in range(2))
    assert str(first) == str(second)


def test_callers_of_very_many_use_a_subset_each() -> None:
    world = World(Size(endpoints=60, clients=3, load=0.05), seed=1)
    world.run(2.0)
    connected = [sum(replica.state == "ready" for replica in caller.replicas) for caller in world.callers]
    assert connected == [20, 20, 20]
    assert 20 / 60 < world.reachable < 1
