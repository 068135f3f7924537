"""What befalls a simulated mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.simulation.plot import Span
from tests.simulation.process import Process
from tests.simulation.world import Size, World

BEFORE: Final = 10.0  # seconds until the fault begins, in which all connect and caches fill
AFTER: Final = 15.0  # seconds after its end: three times what recovery may take, to see a relapse
FEW: Final = 100  # of so many processes one is ill
SHUTDOWN: Final = 5.0  # seconds from asking for no more calls to the end of a process
DOWN: Final = 1.0  # seconds until it is there again
SLOW: Final = 10.0  # times as long takes a call at a process that is ill
STALL: Final = 40.0  # times as long while all stall: beyond what an attempt may take


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault, and how long it lasts."""

    name: str
    seconds: float
    happens: Callable[[World, float, float], None]
    """Sets up what befalls a world between two moments."""


@dataclass(frozen=True, slots=True)
class Played:
    """A world after its faults."""

    name: str
    world: World
    faults: Sequence[Span]  # in order
    until: float


def slow_replica(world: World, begin: float, end: float) -> None:
    """One process of a hundred takes ten times as long."""
    for each in world.processes[::FEW]:
        world.at(begin, partial(setattr, each, "slowness", SLOW))
        world.at(end, partial(setattr, each, "slowness", 1.0))


def fast_failer(world: World, begin: float, end: float) -> None:
    """One process of a hundred answers at once, and always with an error that must not be retried."""
    for each in world.processes[::FEW]:
        world.at(begin, partial(setattr, each, "broken", True))
        world.at(end, partial(setattr, each, "broken", False))


def zone_loss(world: World, begin: float, end: float) -> None:
    """One zone of three is cut off, and nothing says so: packets are lost."""
    for each in world.processes[::3]:
        world.at(begin, each.cut_off)
        world.at(end, each.rejoin)


def rolling_restart(world: World, begin: float, end: float) -> None:
    """Every process is stopped in good order, one after another, and comes back with empty caches."""
    apart = (end - begin - SHUTDOWN - DOWN) / len(world.processes)
    for number, each in enumerate(world.processes):
        drains = begin + number * apart
        world.at(drains, each.drain)
        world.at(drains + SHUTDOWN, each.stop)
        world.at(drains + SHUTDOWN + DOWN, each.start)


def retry_storm(world: World, begin: float, end: float) -> None:
    """Every process stalls; what does not answer in time is asked again, and what is begun goes on to its end."""
    _all(world, begin, end, lambda each: setattr(each, "slowness", STALL), lambda each: setattr(each, "slowness", 1.0))


def cold_restart(world: World, begin: float, end: float) -> None:
    """All processes die at once, and come back at once with empty caches."""
    _all(world, begin, end, Process.stop, Process.start)


def overload(world: World, begin: float, end: float) -> None:
    """Twice as many calls as all processes together can answer."""
    world.at(begin, partial(setattr, world, "demand", 2.0 / world.size.load))
    world.at(end, partial(setattr, world, "demand", 1.0))


def _all(
    world: World, begin: float, end: float, fail: Callable[[Process], None], heal: Callable[[Process], None]
) -> None:
    for each in world.processes:
        world.at(begin, partial(fail, each))
        world.at(end, partial(heal, each))


SLOW_REPLICA: Final = Scenario("slow replica", 20.0, slow_replica)
FAST_FAILER: Final = Scenario("fast failer", 20.0, fast_failer)
ZONE_LOSS: Final = Scenario("zone loss", 35.0, zone_loss)  # longer than it takes to see that connections are dead
ROLLING_RESTART: Final = Scenario("rolling restart", 40.0, rolling_restart)
RETRY_STORM: Final = Scenario("retry storm", 10.0, retry_storm)
COLD_RESTART: Final = Scenario("cold restart of all", 5.0, cold_restart)
OVERLOAD: Final = Scenario("2x overload", 10.0, overload)

ALL: Final = (SLOW_REPLICA, FAST_FAILER, ROLLING_RESTART, ZONE_LOSS, RETRY_STORM, COLD_RESTART, OVERLOAD)

HOUR: Final = 3600.0
IN_AN_HOUR: Final = (  # and from which second on; overload apart, which is more calls than an hour can hold
    (300.0, Scenario("slow replica", 300.0, slow_replica)),
    (780.0, Scenario("fast failer", 300.0, fast_failer)),
    (1260.0, Scenario("zone loss", 300.0, zone_loss)),
    (1800.0, Scenario("rolling restart", 600.0, rolling_restart)),
    (2640.0, Scenario("retry storm", 60.0, retry_storm)),
    (3120.0, Scenario("cold restart of all", 60.0, cold_restart)),
)


def play(scenario: Scenario, size: Size, seed: int = 1) -> Played:
    return _play(scenario.name, size, seed, [(BEFORE, scenario)], BEFORE + scenario.seconds + AFTER)


def play_an_hour(size: Size, seed: int = 1) -> Played:
    return _play("an hour of all", size, seed, IN_AN_HOUR, HOUR)


def _play(name: str, size: Size, seed: int, events: Sequence[tuple[float, Scenario]], until: float) -> Played:
    world = World(size, seed)
    faults = [Span(each.name, begin, begin + each.seconds) for begin, each in events]
    for (_, each), fault in zip(events, faults, strict=True):
        each.happens(world, fault.begin, fault.end)
    world.run(until)
    world.settle()
    return Played(name, world, faults, until)
