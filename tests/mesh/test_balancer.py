"""Balancer: which replica an attempt goes to, by what it costs, how it is, and where the call has been."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from recmesh.mesh.balancer import Balancer, LeastCost
from recmesh.mesh.ejection import Ejection
from recmesh.mesh.replica import Replica
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc import Processed, Status
from tests.mesh.kit import FOUND, Outcome, balancer, never, replica, search


def spread(over: Balancer, calls: int = 300) -> Counter[str]:
    """Where so many calls would go, none of which ends."""
    went: Counter[str] = Counter()
    for _ in range(calls):
        call = search()
        over(call).close()
        went.update(call.tried)
    return went


def test_calls_are_spread_evenly() -> None:
    assert max(spread(balancer(*map(replica, "abc"))).values()) < 120


def test_the_one_of_two_that_costs_less_is_taken() -> None:
    slow, fast = replica("slow"), replica("fast")
    slow.latency.observe(0.2, 0.0)
    fast.latency.observe(0.1, 0.0)
    assert spread(balancer(slow, fast)) == {"fast": 300}
    fast.in_flight = 2  # thrice 0.1 s
    assert spread(balancer(slow, fast)) == {"slow": 300}


def test_many_that_have_just_failed_are_hardly_met() -> None:
    failing, well = [replica(f"failing {number}") for number in range(7)], [replica(f"{n}") for n in range(13)]
    for each in failing:
        each.latency.observe(1.0, 0.0)
        each.health.failed("no answer", 0.0, 0.0)
    went = spread(balancer(*failing, *well), 1_000)
    assert sum(went[each.where.id] for each in failing) < 10  # of two drawn once, both would fail in every ninth case


def test_one_that_has_failed_is_tried_again_once_its_cost_has_faded() -> None:
    failed, other = replica("failed"), replica("other")
    failed.health.failed("no answer", 0.0, 0.0)
    other.latency.observe(0.1, 0.0)
    assert spread(balancer(failed, other)) == {"failed": 300}


def test_calls_in_flight_decide_where_no_latency_is_known() -> None:
    busy, free = replica("busy", never()), replica("free")
    Outcome(busy(search()))
    assert spread(balancer(busy, free)) == {"free": 300}


def test_weights_share_out_the_calls() -> None:
    light, heavy = replica("light"), replica("heavy")
    heavy.where = EndpointAddress("heavy", "heavy:7200", weight=4.0)
    for each in (light, heavy):
        each.latency.observe(0.1, 0.0)
    over = balancer(light, heavy)
    for _ in range(50):
        call = search()
        over(call).close()
        (chosen,) = (each for each in (light, heavy) if each.where.id in call.tried)
        chosen.in_flight += 1
    assert (light.in_flight, heavy.in_flight) == (10, 40)


def test_endpoints_already_tried_are_left_out_while_others_exist() -> None:
    replicas = [replica(name, *[FOUND] * 4) for name in "abc"]
    over = balancer(*replicas)
    call = search()
    for _ in range(3):
        Outcome(over(call)).result()
    assert [each.calls for each in replicas] == [1, 1, 1]
    assert call.tried == {"a", "b", "c"}
    Outcome(over(call)).result()
    assert sum(each.calls for each in replicas) == 4


@pytest.mark.parametrize("state", ["connecting", "backing off", "draining"])
def test_an_endpoint_that_is_away_is_passed_over_while_others_are_ready(state: str) -> None:
    went = spread(balancer(replica("a", state=state), replica("b"), replica("c", state="idle")))
    assert set(went) == {"b", "c"}


def test_an_endpoint_that_is_said_not_to_be_ready_is_passed_over() -> None:
    told, other = replica("told"), replica("other")
    told.where = EndpointAddress("told", "told:7200", ready=False)
    assert spread(balancer(told, other)) == {"other": 300}


def test_where_all_are_away_one_is_asked_all_the_same() -> None:
    assert Outcome(balancer(replica("a", FOUND, state="backing off"))(search())).result() is FOUND


def test_one_that_is_away_is_preferred_to_one_that_was_tried() -> None:
    call = search()
    call.tried.add("a")
    over = balancer(replica("a"), replica("b", FOUND, state="connecting"))
    assert Outcome(over(call)).result() is FOUND


def test_one_that_was_tried_is_preferred_to_one_that_is_ejected() -> None:
    tried, ejected = two_of_which_one_is_ejected()
    call = search()
    call.tried.add("tried")
    balancer(tried, ejected)(call).close()
    assert call.tried == {"tried"}


def test_no_endpoint_is_a_clear_error() -> None:
    error = Outcome(Balancer("ranking", lambda: 0.0, LeastCost(random.Random(1)))(search())).error()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    assert error.message == "no endpoint of ranking is known"


def test_a_call_knows_whether_there_is_somewhere_else_to_go() -> None:
    over = balancer(replica("a"), replica("b", state="draining"))
    call = search()
    assert over.elsewhere(call)
    call.tried.add("a")
    assert not over.elsewhere(call)


def two_of_which_one_is_ejected() -> tuple[Replica, Replica]:
    ejection = Ejection(random.Random(1))
    tried, ejected = replica("tried", ejection=ejection), replica("ejected", ejection=ejection)
    for _ in range(5):
        ejected.health.failed("broken", 0.0, 0.0)
    assert ejected.health.failing
    return tried, ejected
