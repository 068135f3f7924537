"""The policies in their order: a whole way out, a whole way in."""

from __future__ import annotations

import random

from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from recmesh.mesh.backend import Backend, Policy, backend, backends
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.resolver import EndpointAddress, Static
from recmesh.rpc import Status, tx
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


def test_one_replica_can_be_told_alone_under_the_same_policies() -> None:
    upstream = Upstream(a=[FOUND], b=[LOST, FOUND])
    service = upstream.backend()
    reply = Outcome(service.only(service.replicas[1])(search()))
    upstream.clock.advance(0.04)
    assert reply.result() is FOUND
    assert [replica.calls for replica in service.replicas] == [0, 2]
