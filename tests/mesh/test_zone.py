"""Zone: calls stay near as far as the endpoints there can bear them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from recmesh.mesh.backend import backend
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.resolver import Static
from recmesh.testing import FakeClock
from tests.mesh.crowd import Crowd, Host, at
from tests.mesh.kit import LOST, Outcome, Recorder, search


def crowd(zone: str = "a", **sizes: int) -> Crowd:
    """So many endpoints in each zone, called from one of them."""
    endpoints = [at(f"{name}-{number}", zone=name) for name, size in sizes.items() for number in range(size)]
    return Crowd(*endpoints, zone=zone)


def shares(of: Crowd, calls: int = 2_000) -> dict[str, float]:
    """Which share of so many calls goes to each zone."""
    of.forget()
    of.calls_for(calls / 200, rate=200)
    went: Counter[str] = Counter()
    for name, host in of.hosts.items():
        went[name[0]] += host.calls
    return {zone: went[zone] / went.total() for zone in "abc"}


def test_calls_stay_in_their_zone() -> None:
    assert shares(crowd(a=2, b=2, c=2))["a"] == 1.0


def test_a_caller_without_a_zone_calls_everywhere() -> None:
    assert shares(crowd(zone="", a=2, b=2, c=2))["a"] == pytest.approx(1 / 3, abs=0.05)


def test_a_caller_in_a_zone_without_endpoints_calls_everywhere() -> None:
    assert shares(crowd(zone="d", a=2, b=2, c=2))["a"] == pytest.approx(1 / 3, abs=0.05)


def test_endpoints_that_are_in_no_zone_count_as_elsewhere() -> None:
    of = Crowd(at("a-0"), at("a-1"), at("b-0", zone="b"), at("b-1", zone="b"), zone="b")
    assert shares(of)["b"] == 1.0


def test_a_zone_with_too_few_endpoints_sends_the_rest_of_its_calls_elsewhere() -> None:
    """Two of twelve: a sixth of what can be used, and a third of the callers."""
    assert shares(crowd(a=2, b=5, c=5))["a"] == pytest.approx(0.5, abs=0.05)


def test_weights_say_how_much_a_zone_can_bear() -> None:
    heavy = [at(f"b-{number}", zone="b", weight=3.0) for number in range(2)]
    light = [at(f"a-{number}", zone="a") for number in range(2)]
    assert shares(Crowd(*light, *heavy, zone="a"))["a"] == pytest.approx(0.5, abs=0.05)


def test_what_a_zone_has_lost_is_made_up_for_elsewhere() -> None:
    of = crowd(a=4, b=4, c=4)
    assert shares(of)["a"] == 1.0
    for name in ("a-0", "a-1"):
        of.hosts[name].state = "backing off"
    left = shares(of)
    assert left["a"] == pytest.approx(0.6, abs=0.05)  # three zones times two of ten
    assert of.hosts["a-0"].calls == 0
    for name in ("a-0", "a-1"):
        of.hosts[name].state = "ready"
    of.until(of.clock.seconds() + 60)
    assert shares(of)["a"] == 1.0


def test_one_endpoint_is_not_preferred() -> None:
    """Were it slow, there would be none to choose instead."""
    assert shares(crowd(a=1, b=1, c=1))["a"] == pytest.approx(1 / 3, abs=0.05)


def test_a_zone_whose_endpoints_fail_loses_its_calls() -> None:
    of = crowd(a=2, b=2, c=2)
    for name in ("a-0", "a-1"):
        of.hosts[name].fails, of.hosts[name].latency = LOST, 0.001
    of.calls_for(5, rate=200)
    assert shares(of)["a"] < 0.1


def test_all_calls_go_to_the_zone_that_alone_can_be_used() -> None:
    of = crowd(a=2, b=2)
    for name in ("b-0", "b-1"):
        of.hosts[name].state = "backing off"
    assert shares(of)["a"] == 1.0


def test_a_second_attempt_leaves_the_zone_where_it_has_been_to_all_of_it() -> None:
    of = crowd(a=2, b=2)
    call = search()
    for _ in range(4):
        of.call(call)
        of.settle()
    assert call.tried == {"a-0", "a-1", "b-0", "b-1"}


def test_a_backend_prefers_the_zone_of_its_surroundings() -> None:
    clock = FakeClock()
    hosts = {name: Host(clock, latency=0.0) for name in ("a-0", "a-1", "b-0", "b-1")}
    made = backend(
        "retrieval",
        Static(at(name, zone=name[0]) for name in hosts),
        Connections(lambda where: hosts[where.id]),
        Surroundings(clock, random.Random(1), Recorder(), zone="b"),
    )
    for _ in range(100):
        Outcome(made(search())).result()
    assert (hosts["a-0"].calls, hosts["a-1"].calls) == (0, 0)
