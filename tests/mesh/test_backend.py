"""The policies in their order: a whole way out, a whole way in."""

from __future__ import annotations

import random

import pytest
from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from recmesh.mesh.backend import Backend, Policy, backend, backends
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.replica import Endpoint
from recmesh.mesh.resolver import EndpointAddress, Static
from recmesh.rpc import Processed, Status, tx
from tests.mesh.crowd import Changing, at
from tests.mesh.kit import FOUND, LOST, REFUSED, UNREACHABLE, Connected, Outcome, Recorder, Script, never, search

USUAL = Policy()


class Upstream:
    """A service with scripted endpoints."""

    def __init__(self, **endpoints: list[Message | Exception | Deferred[Message]]) -> None:
        self.clock = Clock()
        self.recorder = Recorder()
        self.scripts = {name: Script(*answers) for name, answers in endpoints.items()}
        self.given = Surroundings(tx.Clock(self.clock), random.Random(1), self.recorder)

    def connect(self, endpoint: EndpointAddress) -> Connected:
        return Connected(self.given.clock, self.scripts[endpoint.address])

    def backend(self, policy: Policy = USUAL) -> Backend:
        return backend("retrieval", Static.of(self.scripts), Connections(self.connect), self.given, policy)


def test_addresses_become_endpoints_of_their_shards() -> None:
    assert Static.of(["a:1", "b:1"], ["c:1"]).snapshot() == (
        EndpointAddress("a:1", "a:1", 0),
        EndpointAddress("b:1", "b:1", 0),
        EndpointAddress("c:1", "c:1", 1),
    )


def test_a_backend_has_the_replicas_of_its_shard() -> None:
    upstream = Upstream(a=[], b=[], c=[])
    resolver = Static.of(["a", "b"], ["c"])
    _, second = backends("retrieval", resolver, Connections(upstream.connect), upstream.given, shards=2)
    assert [replica.where.address for replica in second.replicas] == ["c"]
    assert (second.name, second.shard) == ("retrieval", 1)


def test_an_endpoint_that_hangs_costs_one_attempt_and_the_other_answers() -> None:
    upstream = Upstream(a=[never()], b=[FOUND])
    reply = Outcome(upstream.backend(Policy(seconds=1.0, attempt_seconds=0.4))(search()))
    upstream.clock.advance(0.4)
    assert reply.pending  # the pause before the second attempt
    upstream.clock.advance(0.04)
    assert reply.result() is FOUND
    assert upstream.scripts["a"].calls[0].context.deadline == 0.4
    assert not upstream.clock.getDelayedCalls()


def test_a_call_with_little_time_keeps_half_of_it_for_the_endpoint_that_does_not_hang() -> None:
    upstream = Upstream(a=[never()], b=[FOUND])
    reply = Outcome(upstream.backend()(search(0.36)))
    upstream.clock.advance(0.18)
    upstream.clock.advance(0.04)
    assert reply.result() is FOUND
    assert upstream.scripts["b"].calls[0].context.deadline == 0.36  # there is nobody else to leave time for


@pytest.mark.parametrize("other", ["draining", "backing off"])
def test_an_endpoint_that_is_left_alone_has_all_the_time_there_is(other: str) -> None:
    upstream = Upstream(a=[never()], b=[FOUND])
    upstream.scripts["b"].state = other
    reply = Outcome(upstream.backend()(search()))
    upstream.clock.advance(0.99)
    assert reply.pending and len(upstream.scripts["a"].calls) == 1


def test_attempts_belong_to_one_span_and_carry_their_number() -> None:
    upstream = Upstream(a=[UNREACHABLE], b=[FOUND])
    Outcome(upstream.backend()(search())).result()
    first, second = (script.calls[0].context for script in upstream.scripts.values())
    assert first.trace == second.trace and len(first.trace) == 25
    assert (first.attempt, second.attempt) == (0, 1)


def test_calls_and_attempts_are_measured_apart() -> None:
    upstream = Upstream(a=[REFUSED], b=[FOUND])
    Outcome(upstream.backend()(search())).result()
    calls = upstream.recorder.observed["rpc_client_call_duration_seconds"]
    attempts = upstream.recorder.observed["rpc_client_attempt_duration_seconds"]
    assert [labels["code"] for _, labels in calls] == ["OK"]
    assert [labels["code"] for _, labels in attempts] == ["UNAVAILABLE", "OK"]
    assert {labels["upstream"] for _, labels in calls + attempts} == {"retrieval"}


def test_the_whole_call_ends_in_time_however_many_attempts_are_left() -> None:
    upstream = Upstream(a=[never()], b=[never()])
    reply = Outcome(upstream.backend(Policy(seconds=0.5, attempt_seconds=0.4, attempts=9))(search()))
    for _ in range(50):
        upstream.clock.advance(0.01)
    assert reply.error().status is Status.DEADLINE_EXCEEDED
    assert not upstream.clock.getDelayedCalls()


def test_a_cancelled_caller_cancels_the_attempt() -> None:
    hanging = never()
    upstream = Upstream(a=[hanging])
    service = upstream.backend()
    Outcome(service(search())).cancel()
    assert hanging.called
    assert service.replicas[0].in_flight == 0
    assert not upstream.clock.getDelayedCalls()


def test_shards_of_a_service_share_its_budget_and_bounds_and_hedge_apart() -> None:
    upstream = Upstream(a=[never()], b=[])
    resolver = Static.of(["a"], ["b"])
    first, second = backends(
        "retrieval",
        resolver,
        Connections(upstream.connect),
        upstream.given,
        Policy(most_in_flight=1, most_queued=0),
        shards=2,
    )
    assert first.upstream is second.upstream and first.hedge is not second.hedge
    waiting = Outcome(first(search()))
    error = Outcome(second(search())).error()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    waiting.cancel()
    assert first.upstream.breaker.in_flight == 0


def test_a_slow_call_gets_a_copy_elsewhere_and_the_loser_is_no_failure() -> None:
    upstream = Upstream(a=[FOUND] * 200, b=[FOUND] * 200)
    service = upstream.backend()
    for _ in range(150):
        Outcome(service(search())).result()
        upstream.clock.advance(0.01)
    slow = never()
    chosen = {name: len(script.calls) for name, script in upstream.scripts.items()}
    for script in upstream.scripts.values():
        script._answers.clear()
    upstream.scripts["a"]._answers.append(slow)
    upstream.scripts["b"]._answers.append(FOUND)
    service.replicas[1].in_flight += 5  # so that the first attempt goes to a
    reply = Outcome(service(search()))
    assert reply.pending and len(upstream.scripts["a"].calls) == chosen["a"] + 1
    upstream.clock.advance(0.1)
    assert reply.result() is FOUND and slow.called
    assert upstream.scripts["b"].calls[-1].context.hedge
    assert [(each.failures, each.health.ejections) for each in service.replicas] == [(0, 0), (0, 0)]
    assert service.hedge is not None and (service.hedge.sent, service.hedge.won) == (1, 1)
    assert not upstream.clock.getDelayedCalls()


def test_an_endpoint_that_leaves_takes_no_call_with_it() -> None:
    answer = never()
    upstream = Upstream(a=[answer], b=[FOUND])
    resolver, released = Changing(at("a")), list[Endpoint]()
    where = Connections(lambda endpoint: upstream.connect(at(endpoint.id, address=endpoint.id)), released.append)
    service = backend("retrieval", resolver, where, upstream.given)
    staying = Outcome(service(search()))
    resolver.set(at("b"))
    assert Outcome(service(search())).result() is FOUND
    assert not released and staying.pending
    upstream.clock.advance(0.9)
    answer.callback(FOUND)
    assert staying.result() is FOUND
    assert len(released) == 1
    assert not upstream.clock.getDelayedCalls()


def test_every_policy_is_seen_from_outside() -> None:
    upstream = Upstream(a=[FOUND])
    Outcome(upstream.backend()(search())).result()
    gauges, counters = upstream.recorder.gauges, upstream.recorder.counters
    assert gauges["recmesh_retry_budget"].value("retrieval") == pytest.approx(10.1)
    assert gauges["recmesh_upstream_calls_in_flight"].value("retrieval") == 0
    assert gauges["recmesh_upstream_calls_queued"].value("retrieval") == 0
    assert gauges["recmesh_throttle_probability"].value("retrieval") == 0
    kept = counters["recmesh_upstream_calls_kept_back_total"]
    assert [kept.value("retrieval", by) for by in ("throttle", "breaker", "budget")] == [0, 0, 0]
    assert [counters["recmesh_hedges_total"].value("retrieval", each) for each in ("sent", "won")] == [0, 0]


def test_one_replica_can_be_told_alone_under_the_same_policies() -> None:
    upstream = Upstream(a=[FOUND], b=[LOST, FOUND])
    service = upstream.backend()
    reply = Outcome(service.only(service.replicas[1])(search()))
    upstream.clock.advance(0.04)
    assert reply.result() is FOUND
    assert [replica.calls for replica in service.replicas] == [0, 2]
