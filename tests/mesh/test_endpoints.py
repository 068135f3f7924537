"""Endpoints that are slow, that fail, that come and go: where the calls end up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recmesh.mesh.ejection import EjectionPolicy
from recmesh.rpc import Origin, Processed, RpcError, Status
from tests.mesh.crowd import Crowd, at, named
from tests.mesh.faults import nothing_unhandled
from tests.mesh.kit import REFUSED, Outcome, search

__all__ = ["nothing_unhandled"]

BROKEN = RpcError(Status.UNAVAILABLE, "no bundle", processed=Processed.MAYBE, origin=Origin.SERVER)
NO_EJECTION = EjectionPolicy(in_a_row=10**9, least_success=0.0)


@pytest.mark.usefixtures("nothing_unhandled")
@pytest.mark.parametrize("seed", range(3))
def test_l01_a_slow_replica_gets_under_a_third_of_its_share_within_ten_seconds(seed: int) -> None:
    crowd = Crowd(*named(10), seed=seed)
    crowd.calls_for(5.0, 100)
    crowd.hosts["host-3"].latency = 0.1
    crowd.calls_for(10.0, 100)
    crowd.forget()
    crowd.calls_for(10.0, 100)
    crowd.settle()
    assert crowd.share("host-3") < 0.1 / 3
    assert crowd.outcomes.keys() == {"OK"}


@pytest.mark.usefixtures("nothing_unhandled")
@pytest.mark.parametrize("ejection", [EjectionPolicy(), NO_EJECTION], ids=["ejected", "by its cost alone"])
@pytest.mark.parametrize("seed", range(3))
def test_l02_of_ten_replicas_one_that_fails_at_once_fails_under_a_hundredth_of_the_calls(
    seed: int, ejection: EjectionPolicy
) -> None:
    crowd = Crowd(*named(10), seed=seed, ejection=ejection)
    crowd.hosts["host-3"].latency, crowd.hosts["host-3"].fails = 0.0, BROKEN
    crowd.calls_for(20.0, 200)
    crowd.settle()
    assert crowd.outcomes["UNAVAILABLE"] < 0.01 * crowd.outcomes.total()
    assert crowd.outcomes.total() > 3_500


def test_a_replica_that_is_well_again_gets_its_share_again() -> None:
    crowd = Crowd(*named(5))
    crowd.hosts["host-0"].latency = 0.2
    crowd.calls_for(10.0, 100)
    crowd.hosts["host-0"].latency = 0.01
    crowd.calls_for(100.0, 100)
    crowd.forget()
    crowd.calls_for(10.0, 100)
    assert 0.15 < crowd.share("host-0") < 0.25


def test_no_call_is_lost_when_endpoints_come_and_go() -> None:
    crowd = Crowd(*named(4))
    for host in crowd.hosts.values():
        host.latency = 0.05
    everybody = named(12)

    def change() -> None:
        if crowd.rng.random() < 0.05:
            crowd.resolver.set(*crowd.rng.sample(everybody, crowd.rng.randint(1, 8)))

    crowd.calls_for(20.0, 200, change)
    crowd.settle()
    assert crowd.outcomes.keys() == {"OK"} and crowd.outcomes.total() > 3_500
    assert all(each.in_flight == 0 for each in crowd.endpoints.replicas)
    assert len(crowd.endpoints._ejection.members) == len(crowd.endpoints.replicas)


def test_an_endpoint_that_leaves_is_let_go_when_its_last_call_has_ended() -> None:
    crowd = Crowd(*named(1))
    crowd.call()
    leaving = crowd.hosts["host-0"]
    crowd.resolver.set(at("other"))
    crowd.call()
    assert not crowd.released and (leaving.calls, crowd.hosts["other"].calls) == (1, 1)
    crowd.settle()
    assert crowd.released == [leaving]
    crowd.resolver.set()
    assert crowd.released == [leaving, crowd.hosts["other"]]
    assert Outcome(crowd.endpoints(search())).error().message == "no endpoint of retrieval is known"


def test_the_last_calls_of_one_that_left_may_fail() -> None:
    crowd = Crowd(*named(3))
    leaving = crowd.hosts["host-0"]
    leaving.fails = BROKEN
    for _ in range(60):
        crowd.call()
    crowd.resolver.set(*named(3)[1:])
    crowd.settle()
    assert crowd.outcomes == {"OK": 60 - leaving.calls, "UNAVAILABLE": leaving.calls}
    assert leaving.calls > 5 and crowd.released == [leaving]


def test_an_endpoint_that_joins_starts_slowly_those_of_the_beginning_do_not() -> None:
    crowd = Crowd(*named(3))
    crowd.calls_for(1.0, 400)
    crowd.resolver.set(*named(4))
    crowd.forget()
    crowd.calls_for(1.0, 400)
    assert 0.0 < crowd.share("host-3") < 0.12
    assert min(crowd.share(f"host-{number}") for number in range(3)) > 0.2


def test_one_that_joins_is_taken_for_as_quick_as_the_quickest_until_it_answers() -> None:
    crowd = Crowd(*named(2))
    crowd.hosts["host-1"].latency = 0.2
    crowd.calls_for(5.0, 50)
    crowd.resolver.set(*named(3))
    now = crowd.clock.seconds()
    assert crowd.replica("host-2").cost(now) == pytest.approx(0.01, rel=0.1)


def test_what_a_snapshot_says_again_of_an_endpoint_holds_without_a_new_connection() -> None:
    crowd = Crowd(*named(2))
    hosts = dict(crowd.hosts)
    crowd.resolver.set(*(replace(each, weight=2.0, ready=each.id != "host-0") for each in named(2)))
    for _ in range(20):
        crowd.call()
    crowd.settle()
    assert crowd.hosts == hosts and not crowd.released
    assert crowd.hosts["host-0"].calls == 0


def test_an_endpoint_whose_address_changes_is_connected_anew() -> None:
    crowd = Crowd(*named(2))
    before = crowd.hosts["host-0"]
    crowd.resolver.set(replace(at("host-0"), address="moved:7200"), at("host-1"))
    assert crowd.released == [before] and crowd.hosts["host-0"] is not before


def test_endpoints_of_other_shards_are_left_out() -> None:
    crowd = Crowd(at("a"), at("b", shard=1))
    assert [each.where.id for each in crowd.endpoints.replicas] == ["a"]


def test_a_refusal_is_remembered_for_as_long_as_it_asks_for() -> None:
    crowd = Crowd(*named(2))
    crowd.hosts["host-0"].fails = REFUSED
    crowd.replica("host-1").latency.observe(9.0, 0.0)
    crowd.call()
    assert not crowd.endpoints.refusing()
    crowd.clock.advance(0.01)
    assert crowd.endpoints.refusing()
    crowd.clock.advance(0.26)
    assert not crowd.endpoints.refusing()


def test_each_change_is_logged_once_with_its_cause() -> None:
    crowd = Crowd(*named(3))
    host = crowd.hosts["host-0"]
    host.latency, host.fails, host.state = 0.0, BROKEN, "backing off"
    for _ in range(5):
        Outcome(crowd.replica("host-0")(search())).error()
    host.fails, host.state = None, "ready"
    crowd.calls_for(5.0, 100)
    crowd.settle()
    told = [(line["state"], line["cause"]) for line in crowd.log.lines if line["endpoint"] == "host-0"]
    assert told == [
        ("backing off", "UNAVAILABLE: no bundle"),
        ("ejected", "5 failures in a row, the last: UNAVAILABLE: no bundle"),
        ("probation", "its time is over"),
        ("ready", "it takes calls again"),
        ("healthy", "a probe succeeded"),
    ]


@pytest.mark.parametrize(
    ("state", "ready", "told"),
    [
        ("draining", True, ("draining", "it is leaving")),
        ("backing off", True, ("backing off", "its connection is lost")),
        ("ready", False, ("away", "whoever runs it says that it is not ready")),
    ],
)
def test_one_that_leaves_without_a_failure_is_noticed_once_and_starts_slowly_when_it_is_back(
    state: str, ready: bool, told: tuple[str, str]
) -> None:
    crowd = Crowd(*named(3))
    crowd.hosts["host-0"].state = "connecting"
    crowd.calls_for(1.0, 100)
    assert not crowd.log.lines  # it has not answered yet
    crowd.hosts["host-0"].state = "ready"
    crowd.calls_for(1.0, 100)
    crowd.hosts["host-0"].state = state
    crowd.resolver.set(at("host-0", ready=ready), *named(3)[1:])
    crowd.calls_for(1.0, 100)
    crowd.hosts["host-0"].state = "ready"
    crowd.resolver.set(*named(3))
    crowd.calls_for(1.0, 100)
    assert [(line["state"], line["cause"]) for line in crowd.log.lines] == [told, ("ready", "it takes calls again")]
    assert crowd.replica("host-0").warmth(crowd.clock.seconds()) < 0.2


def test_gauges_show_how_endpoints_are_and_those_that_left_no_longer() -> None:
    crowd = Crowd(*named(3))
    for _ in range(5):
        crowd.replica("host-0").health.failed("disk full", 0.0, 0.0)
    crowd.hosts["host-1"].state = "connecting"
    states = crowd.recorder.gauges["recmesh_endpoints"]
    values = {state: states.value("retrieval", "0", state) for state in ("ready", "away", "ejected", "probation")}
    assert values == {"ready": 1, "away": 1, "ejected": 1, "probation": 0}
    assert crowd.recorder.counters["recmesh_endpoint_ejections_total"].counts == {("retrieval", "0"): 1}
    crowd.call()
    in_flight = crowd.recorder.gauges["recmesh_endpoint_calls_in_flight"]
    assert in_flight.value("retrieval", "0", "host-2") == 1
    crowd.resolver.set(*named(2))
    assert set(in_flight.sources) == {("retrieval", "0", "host-0"), ("retrieval", "0", "host-1")}


def test_of_very_many_endpoints_one_caller_uses_twenty() -> None:
    crowd = Crowd(*named(100), most=20, node="gateway-0")
    crowd.calls_for(10.0, 200)
    used = {name for name, host in crowd.hosts.items() if host.calls}
    assert len(used) == 20 and len(crowd.endpoints.replicas) == 100
    crowd.resolver.set(*(each for each in named(100) if each.id != min(used)))
    crowd.forget()
    crowd.calls_for(10.0, 200)
    assert len(used & {name for name, host in crowd.hosts.items() if host.calls}) == 19
