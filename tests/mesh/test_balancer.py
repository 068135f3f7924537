"""Replica and RoundRobin."""

from __future__ import annotations

from collections import Counter

import pytest

from recmesh.mesh.balancer import RoundRobin
from recmesh.rpc import Processed, RpcError, Status
from tests.mesh.kit import FOUND, LOST, REFUSED, Outcome, never, replica, search


def test_calls_go_round() -> None:
    replicas = [replica(name, *[FOUND] * 4) for name in "abc"]
    balancer = RoundRobin("retrieval", replicas)
    for _ in range(12):
        Outcome(balancer(search())).result()
    assert [each.calls for each in replicas] == [4, 4, 4]


def test_endpoints_already_tried_are_left_out_while_others_exist() -> None:
    replicas = [replica(name, *[FOUND] * 4) for name in "abc"]
    balancer = RoundRobin("retrieval", replicas)
    call = search()
    for _ in range(3):
        Outcome(balancer(call)).result()
    assert [each.calls for each in replicas] == [1, 1, 1]
    assert call.tried == {"a", "b", "c"}
    Outcome(balancer(call)).result()
    assert sum(each.calls for each in replicas) == 4


@pytest.mark.parametrize("state", ["connecting", "backing off", "draining"])
def test_an_endpoint_that_is_away_is_passed_over_while_others_are_ready(state: str) -> None:
    away, ready, idle = replica("a", state=state), replica("b", *[FOUND] * 6), replica("c", *[FOUND] * 6, state="idle")
    balancer = RoundRobin("retrieval", [away, ready, idle])
    for _ in range(6):
        Outcome(balancer(search())).result()
    assert Counter({"a": away.calls, "b": ready.calls, "c": idle.calls}) == Counter({"b": 3, "c": 3})


def test_where_all_are_away_one_is_asked_all_the_same() -> None:
    away = replica("a", FOUND, state="backing off")
    assert Outcome(RoundRobin("ranking", [away])(search())).result() is FOUND


def test_one_that_is_away_is_preferred_to_one_that_was_tried() -> None:
    tried, away = replica("a"), replica("b", FOUND, state="connecting")
    call = search()
    call.tried.add("a")
    assert Outcome(RoundRobin("retrieval", [tried, away])(call)).result() is FOUND


def test_no_endpoint_is_a_clear_error() -> None:
    error = Outcome(RoundRobin("ranking", [])(search())).error()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    assert error.message == "no endpoint of ranking is known"


def test_a_replica_counts_calls_and_the_failures_that_are_its_own() -> None:
    endpoint = replica("a", FOUND, LOST, REFUSED, RpcError(Status.NOT_FOUND, "no such item"))
    Outcome(endpoint(search())).result()
    for _ in range(3):
        Outcome(endpoint(search())).error()
    assert (endpoint.calls, endpoint.failures, endpoint.in_flight) == (4, 1, 0)
    assert endpoint.last_error == "UNAVAILABLE: connection lost"


def test_a_replica_knows_how_many_calls_are_in_flight() -> None:
    answer = never()
    endpoint = replica("a", answer, never())
    first, second = Outcome(endpoint(search())), Outcome(endpoint(search()))
    assert endpoint.in_flight == 2
    answer.callback(FOUND)
    assert endpoint.in_flight == 1 and first.result() is FOUND
    second.cancel()
    assert endpoint.in_flight == 0 and endpoint.failures == 0
