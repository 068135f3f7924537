"""Ejection: when an endpoint is left out, how it comes back, and how many may be left out."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.ejection import DEFAULTS, Ejection, Health, State
from recmesh.rpc import Call, Context, Method, Origin, Processed, RpcError, Status
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.crowd import Crowd, named
from tests.mesh.faults import nothing_unhandled
from tests.mesh.kit import search
from tests.mesh.test_replica import stream

__all__ = ["nothing_unhandled"]

BROKEN = RpcError(Status.INTERNAL, "disk full", processed=Processed.MAYBE, origin=Origin.SERVER)
REFUSED = RpcError(Status.UNAVAILABLE, "too busy", processed=Processed.REFUSED)
UNSAFE = Method("/x.X/Y", SearchRequest, SearchResponse)
QUICK = Call(UNSAFE, SearchRequest())


def group(size: int = 3, seed: int = 1) -> tuple[Ejection, list[Health]]:
    ejection = Ejection(random.Random(seed))
    return ejection, [ejection.admit(0.0) for _ in range(size)]


def state_of(health: Health) -> State:
    return health.state  # read anew: a type checker takes it for what it was before


def fail(health: Health, now: float, times: int = 5) -> None:
    for _ in range(times):
        health.failed("disk full", now, now)


@pytest.mark.usefixtures("nothing_unhandled")
@pytest.mark.parametrize("seed", range(5))
def test_e01_the_fifth_failure_ejects_one_call_probes_and_the_time_doubles(seed: int) -> None:
    crowd = Crowd(*named(4), seed=seed)
    host, health = crowd.hosts["host-0"], crowd.replica("host-0").health
    host.latency, host.fails = 0.0, BROKEN
    while not health.ejections:
        crowd.until(crowd.clock.seconds() + 60.0)  # what a failure costs is forgotten, else it were picked no more
        crowd.call()
    assert host.calls == 5
    assert health.cause == "5 failures in a row, the last: INTERNAL: disk full"
    host.latency = 0.05  # while the probe is on its way, others call
    for usual in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        lasts = health.until - crowd.clock.seconds()
        assert usual - 0.06 <= lasts <= 1.5 * usual
        before = host.calls
        crowd.calls_for(lasts - 0.01, 20)
        assert host.calls == before and state_of(health) is State.EJECTED
        crowd.clock.advance(max(0.0, health.until - crowd.clock.seconds()))
        for _ in range(20):
            crowd.call()
        assert host.calls == before + 1 and state_of(health) is State.PROBATION
        crowd.clock.advance(0.05)
        assert state_of(health) is State.EJECTED
    crowd.settle()


def test_a_probe_that_succeeds_brings_it_back_with_a_slow_start() -> None:
    crowd = Crowd(*named(4))
    fail(crowd.replica("host-0").health, 0.0)
    crowd.clock.advance(2.0)
    crowd.call()
    assert crowd.hosts["host-0"].calls == 1
    crowd.settle()
    assert crowd.replica("host-0").health.state is State.HEALTHY
    crowd.forget()
    crowd.calls_for(1.0, 400)
    assert 0.0 < crowd.share("host-0") < 0.15
    crowd.calls_for(30.0, 100)
    crowd.forget()
    crowd.calls_for(5.0, 400)
    assert 0.2 < crowd.share("host-0") < 0.3
    assert crowd.lines("host-0") == ["ejected", "probation", "healthy"]


def test_too_few_successes_eject_though_they_come_between_the_failures() -> None:
    _, (health, *_) = group()
    for number in range(19):
        if number % 3:
            health.succeeded(0.0, number / 10)
        else:
            health.failed("disk full", 0.0, number / 10)
    assert state_of(health) is State.HEALTHY  # under 20 results
    health.failed("disk full", 0.0, 1.9)
    assert state_of(health) is State.EJECTED
    assert health.cause == "12 of 20 calls within 10 s succeeded, the last: disk full"


def test_failures_older_than_the_window_count_no_more() -> None:
    _, (health, *_) = group()
    for number in range(40):
        if number % 5:
            health.succeeded(0.0, float(number))
        else:
            health.failed("disk full", 0.0, float(number))
    assert health.state is State.HEALTHY


@pytest.mark.parametrize(("endpoints", "most"), [(1, 0), (2, 1), (3, 1), (10, 3)])
def test_e02_only_so_many_are_ejected_and_never_the_only_one(endpoints: int, most: int) -> None:
    _, healths = group(endpoints)
    for health in healths:
        fail(health, 0.0, times=50)
    assert sum(health.state is State.EJECTED for health in healths) == most


@pytest.mark.usefixtures("nothing_unhandled")
@pytest.mark.parametrize("endpoints", [1, 2, 3, 10])
def test_e03_where_all_fail_ejections_are_ignored_and_calls_go_on(endpoints: int) -> None:
    crowd = Crowd(*named(endpoints))
    for host in crowd.hosts.values():
        host.latency, host.fails = 0.0, BROKEN
    crowd.calls_for(5.0, 100)
    crowd.forget()
    crowd.calls_for(5.0, 100)
    assert min(host.calls for host in crowd.hosts.values()) > 0
    if endpoints > 1:
        assert crowd.endpoints.balancer.panic
        assert sum(line["message"].startswith("too few endpoints") for line in crowd.log.lines) == 1
    for host in crowd.hosts.values():
        host.latency, host.fails = 0.01, None
    crowd.calls_for(120.0, 50)
    crowd.settle()
    assert not crowd.endpoints.balancer.panic
    assert all(each.health.state is State.HEALTHY for each in crowd.endpoints.replicas)


def test_panic_ends_with_the_first_success_of_who_was_spared() -> None:
    """A replica errs at once and is ejected; the other, with all to do, is too late for a while. Calls that are not
    repeated met the first until its next probe, long after the second answered again."""
    crowd = Crowd(*named(2))
    broken, busy = crowd.replica("host-0").health, crowd.replica("host-1").health
    crowd.hosts["host-0"].latency, crowd.hosts["host-0"].fails = 0.0, BROKEN
    fail(broken, 0.0)
    fail(busy, 0.0)
    assert crowd.endpoints.balancer.panic
    crowd.calls_for(0.9, 100)
    assert not crowd.endpoints.balancer.panic
    assert crowd.outcomes["INTERNAL"] <= 2
    assert crowd.log.lines[-1]["message"] == "ejections hold again"


def test_where_connections_are_lost_as_well_those_that_answer_are_not_left_alone() -> None:
    crowd = Crowd(*named(4))
    fail(crowd.replica("host-0").health, 0.0)
    crowd.hosts["host-1"].state = crowd.hosts["host-2"].state = "backing off"
    crowd.calls_for(1.0, 200)
    assert crowd.endpoints.balancer.panic and crowd.hosts["host-0"].calls > 50


@pytest.mark.parametrize("error", [REFUSED, RpcError(Status.NOT_FOUND, "no such item", origin=Origin.APP)])
def test_refusals_and_answers_of_applications_do_not_count(error: RpcError) -> None:
    crowd = Crowd(*named(2))
    for host in crowd.hosts.values():
        host.fails = error
    crowd.calls_for(2.0, 50)
    crowd.settle()
    assert all(each.health.ejections == 0 for each in crowd.endpoints.replicas)


def test_calls_that_are_given_up_do_not_count() -> None:
    crowd = Crowd(*named(2))
    for _ in range(50):
        call = crowd.call()
        call.addErrback(lambda failure: None)
        call.cancel()
    assert all(each.health.ejections == 0 and each.in_flight == 0 for each in crowd.endpoints.replicas)


def test_a_deadline_that_was_too_short_does_not_count_but_costs() -> None:
    crowd = Crowd(*named(2))
    for host in crowd.hosts.values():
        host.latency, host.fails = 0.05, RpcError(Status.DEADLINE_EXCEEDED, processed=Processed.MAYBE)
    crowd.calls_for(2.0, 50)
    crowd.settle()
    assert all(each.health.ejections == 0 for each in crowd.endpoints.replicas)
    assert all(each.cost(crowd.clock.seconds()) > 0.04 for each in crowd.endpoints.replicas)


def test_a_probe_that_is_given_up_leaves_the_next_call_to_probe() -> None:
    crowd = Crowd(*named(3))
    fail(crowd.replica("host-0").health, 0.0)
    crowd.clock.advance(2.0)
    probe = crowd.call()
    probe.addErrback(lambda failure: None)
    probe.cancel()
    crowd.call()
    assert crowd.hosts["host-0"].calls == 2


def test_a_call_that_cannot_be_repeated_probes_only_where_no_other_does() -> None:
    crowd = Crowd(*named(3))
    health = crowd.replica("host-0").health
    fail(health, 0.0)
    crowd.clock.advance(health.until)
    crowd.call(replace(QUICK, context=Context(), tried=set()))
    assert crowd.hosts["host-0"].calls == 0
    crowd.clock.advance(1.0)
    crowd.call(replace(QUICK, context=Context(), tried=set()))
    assert crowd.hosts["host-0"].calls == 1


def test_a_second_attempt_does_not_probe() -> None:
    crowd = Crowd(*named(3))
    fail(crowd.replica("host-0").health, 0.0)
    crowd.clock.advance(2.0)
    call = search()
    call.tried.add("host-1")
    crowd.call(call)
    assert crowd.hosts["host-2"].calls == 1


def test_a_stream_does_not_probe() -> None:
    crowd = Crowd(*named(3))
    fail(crowd.replica("host-0").health, 0.0)
    crowd.clock.advance(2.0)
    crowd.call(stream())
    assert crowd.hosts["host-0"].calls == 0


def test_results_of_attempts_that_began_before_it_came_back_do_not_count() -> None:
    _, (health, *_) = group()
    fail(health, 1.0)
    assert health.takes_probe(3.0, safe=True)
    health.succeeded(3.0, 3.1)
    for _ in range(10):
        health.failed("lost", 0.5, 3.2)
    assert health.state is State.HEALTHY


def test_what_was_long_ago_does_not_make_an_ejection_longer() -> None:
    _, (health, *_) = group()
    fail(health, 0.0)
    health.takes_probe(2.0, safe=True)
    health.failed("again", 2.0, 2.0)
    assert health.until - 2.0 >= 2.0
    health.takes_probe(9.0, safe=True)
    health.succeeded(9.0, 9.0)
    fail(health, 10.0)
    assert health.until - 10.0 >= 4.0
    health.takes_probe(20.0, safe=True)
    health.succeeded(20.0, 20.0)
    fail(health, 100.0)
    assert health.until - 100.0 <= 1.5


steps = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("sfup"), st.floats(0.0, 3.0)), max_size=200)


@given(st.integers(1, 10), steps, st.integers())
def test_never_too_many_are_out_and_never_two_calls_probe(
    size: int, script: list[tuple[int, str, float]], seed: int
) -> None:
    ejection, healths = group(size, seed)
    now = 0.0
    for place, what, later in script:
        now += later
        health = healths[place % size]
        was_probing = health.probing
        if what == "s":
            health.succeeded(now, now)
        elif what == "f":
            health.failed("disk full", now, now)
        elif what == "u":
            health.undecided()
        else:
            assert not (health.takes_probe(now, safe=True) and was_probing)
        out = sum(each.state is not State.HEALTHY for each in healths)
        assert out <= (max(1, int(DEFAULTS.most_share * size)) if size > 1 else 0)
        assert health.state is not State.EJECTED or health.until <= now + 1.5 * DEFAULTS.most_seconds
    assert ejection.members == healths


def test_how_many_may_be_ejected_is_a_share_of_those_in_use() -> None:
    crowd = Crowd(*named(100), most=3, node="gateway-0")
    for each in crowd.hosts.values():
        each.fails = BROKEN
    crowd.calls_for(5.0, 200)
    out = [each for each in crowd.endpoints.replicas if each.health.state is not State.HEALTHY]
    assert len(out) == 1
