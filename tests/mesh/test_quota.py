"""Quota: how many calls a second each principal may make."""

from __future__ import annotations

import random

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.budget import Budget
from recmesh.mesh.criticality import Criticality
from recmesh.mesh.door import Bounds, door
from recmesh.mesh.endpoints import Surroundings
from recmesh.mesh.quota import LATER, RETRY_INFO, Quota, retry_info
from recmesh.mesh.retry import Retry
from recmesh.rpc import Call, Processed, RpcError, Status, stack
from recmesh.testing import FakeClock
from recmesh.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from recmesh.v1.health_rpc import HEALTH_CHECK
from tests.mesh.kit import FOUND, Log, Outcome, Recorder, Script, search


class Edge:
    """A quota before a service that always answers."""

    def __init__(self, per_second: float, burst_seconds: float = 1.0, most_principals: int = 10_000) -> None:
        self.clock = FakeClock()
        self.quota = Quota(self.clock, random.Random(1), per_second, burst_seconds, most_principals=most_principals)
        self.answered = 0
        self.enter = stack(self.quota, to=self._answer)

    async def _answer(self, call: Call) -> Message:
        self.answered += 1
        return FOUND

    def ask(self, principal: str = "spiffe://mesh/web", many: int = 1) -> list[RpcError]:
        """The refusals among so many calls at once."""
        asked = [Outcome(self.enter(search(principal=principal))) for _ in range(many)]
        answered = self.answered
        self.answered = 0
        refused = [each.error() for each in asked[answered:]]
        assert all(each.result() is FOUND for each in asked[:answered])
        return refused


def test_what_was_saved_up_may_come_at_once_and_then_as_much_as_the_quota() -> None:
    edge = Edge(10.0, burst_seconds=2.0)
    assert len(edge.ask(many=25)) == 5
    edge.clock.advance(1.0)
    assert len(edge.ask(many=25)) == 15
    edge.clock.advance(60.0)
    assert len(edge.ask(many=25)) == 5


def test_principals_have_a_quota_each_and_those_without_a_certificate_one_together() -> None:
    edge = Edge(3.0)
    assert len(edge.ask("spiffe://mesh/web", 5)) == 2
    assert len(edge.ask("spiffe://mesh/batch", 5)) == 2
    assert len(edge.ask("", 2)) == 0
    assert len(edge.ask("", 3)) == 2


def test_less_than_one_call_a_second_is_a_quota_too() -> None:
    edge = Edge(0.5)
    assert len(edge.ask(many=2)) == 1
    edge.clock.advance(1.9)
    assert len(edge.ask()) == 1
    edge.clock.advance(0.2)
    assert not edge.ask()


def test_a_refusal_says_when_to_come_back_and_whoever_does_is_let_in() -> None:
    edge = Edge(4.0)
    error = edge.ask(many=5)[0]
    assert (error.status, error.message.partition(";")[0]) == (
        Status.RESOURCE_EXHAUSTED,
        "the quota is 4 calls a second",
    )
    assert error.pushback_ms is not None and 250 <= error.pushback_ms <= 250 * LATER
    (info,) = error.details
    assert info == retry_info(error.pushback_ms)
    edge.clock.advance(error.pushback_ms / 1000)
    assert not edge.ask()


@given(st.integers(1, 10**7))
def test_retry_info_is_what_google_rpc_says(milliseconds: int) -> None:
    """message RetryInfo { google.protobuf.Duration retry_delay = 1; }"""
    info = retry_info(milliseconds)
    assert info.type_url == RETRY_INFO == "type.googleapis.com/google.rpc.RetryInfo"
    assert info.value[0] == 0x0A and info.value[1] == len(info.value) - 2
    assert Duration.FromString(info.value[2:]).ToMilliseconds() == milliseconds


def test_who_retries_waits_and_does_not_ask_the_next_at_once() -> None:
    edge = Edge(2.0)
    edge.ask(many=2)
    retry = Retry(edge.clock, random.Random(1), Budget(edge.clock))
    asked = Outcome(stack(retry, edge.quota, to=Script(FOUND))(search(principal="spiffe://mesh/web")))
    edge.clock.advance(0.4)
    assert asked.pending
    edge.clock.advance(0.5)
    assert asked.result() is FOUND


def test_health_is_answered_throughout() -> None:
    edge = Edge(1.0)
    edge.ask(many=5)
    served = stack(edge.quota, to=Script(HealthCheckResponse()))
    assert Outcome(served(Call(HEALTH_CHECK, HealthCheckRequest()))).result() == HealthCheckResponse()


def test_what_matters_most_is_answered_throughout_and_takes_nothing_of_the_quota() -> None:
    edge = Edge(3.0)
    served = stack(edge.quota, to=Script(*[FOUND] * 9))
    for _ in range(9):
        Outcome(served(search(criticality=int(Criticality.CRITICAL_PLUS)))).result()
    assert len(edge.ask("", 5)) == 2


def test_principals_without_end_take_no_memory_without_end() -> None:
    edge = Edge(1.0, most_principals=100)
    for number in range(1_000):
        edge.ask(f"spiffe://mesh/{number}")
        edge.ask("spiffe://mesh/web")
    assert len(edge.quota) == 100
    assert len(edge.ask("spiffe://mesh/web")) == 1  # whoever comes all the time is not forgotten
    assert not edge.ask("spiffe://mesh/0")


@given(st.floats(0.1, 1_000), st.floats(0, 10), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=20))
def test_no_more_is_let_in_than_the_quota_and_one_burst(
    rate: float, burst: float, visits: list[tuple[float, int]]
) -> None:
    edge, let_in = Edge(rate, burst), 0
    for pause, many in visits:
        edge.clock.advance(pause)
        let_in += many - len(edge.ask(many=many))
    assert let_in <= max(1.0, rate * burst) + rate * edge.clock.seconds() + 1e-6


@pytest.mark.parametrize(("rate", "refused"), [(0.0, 0), (1.0, 2)])
def test_the_way_in_has_a_quota_where_there_is_one(rate: float, refused: int) -> None:
    recorder, log = Recorder(), Log()
    given = Surroundings(FakeClock(), random.Random(1), recorder)
    way_in = door(given, log, bounds=Bounds(quota_per_second=rate, access_log_share=0.0))
    served = stack(*way_in.filters, to=Script(FOUND, FOUND, FOUND))
    asked = [Outcome(served(search())) for _ in range(3)]
    errors = [each.error() for each in asked[3 - refused :]]
    assert all(error.processed is Processed.YES and error.details for error in errors)
    assert [line["code"] for line in log.lines] == refused * ["RESOURCE_EXHAUSTED"]
    assert recorder.counters["recmesh_admission_refused_total"].counts == (
        {("quota", "CRITICAL"): refused} if refused else {}
    )
    assert way_in.limit.in_flight == 0
