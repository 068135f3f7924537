"""Retry, alone and above a balancer."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from recmesh.mesh.budget import Budget
from recmesh.mesh.retry import Retry
from recmesh.rpc import Call, Method, Processed, RpcError, Service, Status, stack, tx
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.kit import FOUND, LOST, REFUSED, UNREACHABLE, Outcome, Script, append, balancer, replica, search

UNSAFE_METHOD = Method("/x.X/Y", SearchRequest, SearchResponse)
INVALID = RpcError(Status.INVALID_ARGUMENT, "count")
MOST_BACKOFF = 0.025 * 1.5


def unsafe() -> Call:
    return Call(UNSAFE_METHOD, SearchRequest())


def retrying(clock: Clock, service: Service, attempts: int = 2) -> Service:
    return stack(Retry(tx.Clock(clock), random.Random(1), Budget(tx.Clock(clock)), attempts), to=service)


@pytest.mark.parametrize("error", [UNREACHABLE, REFUSED])
@pytest.mark.parametrize("call", [search(), append(), unsafe()])
def test_what_no_handler_saw_is_repeated_at_once(error: RpcError, call: Call) -> None:
    service = Script(error, FOUND)
    assert Outcome(retrying(Clock(), service)(call)).result() is FOUND
    assert [each.context.attempt for each in service.calls] == [0, 1]


@pytest.mark.parametrize("error", [LOST, RpcError(Status.DEADLINE_EXCEEDED, processed=Processed.MAYBE)])
@pytest.mark.parametrize("call", [search(5.0), append(5.0)])
def test_what_may_have_run_is_repeated_after_a_pause(error: RpcError, call: Call) -> None:
    clock, service = Clock(), Script(error, FOUND)
    reply = Outcome(retrying(clock, service)(call))
    assert reply.pending and len(service.calls) == 1
    clock.advance(MOST_BACKOFF)
    assert reply.result() is FOUND


def test_retry_leaves_unsafe_calls_alone() -> None:
    service = Script(LOST, FOUND)
    assert Outcome(retrying(Clock(), service)(unsafe())).error() is LOST
    assert len(service.calls) == 1


def test_an_answer_of_the_application_is_final() -> None:
    service = Script(INVALID, FOUND)
    assert Outcome(retrying(Clock(), service)(search())).error() is INVALID
    assert len(service.calls) == 1


def test_pushback_says_how_long_to_wait() -> None:
    clock, service = Clock(), Script(RpcError(Status.RESOURCE_EXHAUSTED, "quota", pushback_ms=300), FOUND)
    reply = Outcome(retrying(clock, service)(search()))
    clock.advance(0.299)
    assert reply.pending and len(service.calls) == 1
    clock.advance(0.001)
    assert reply.result() is FOUND


def test_no_attempt_where_the_time_left_would_not_do() -> None:
    service = Script(RpcError(Status.RESOURCE_EXHAUSTED, "quota", pushback_ms=300), FOUND)
    error = Outcome(retrying(Clock(), service)(search(0.3))).error()
    assert error.status is Status.RESOURCE_EXHAUSTED and len(service.calls) == 1


def test_the_last_failure_tells_callers_further_up_not_to_retry() -> None:
    service = Script(UNREACHABLE, REFUSED)
    error = Outcome(retrying(Clock(), service)(search())).error()
    assert (error.status, error.processed, error.pushback_ms) == (Status.UNAVAILABLE, Processed.REFUSED, -1)
    assert error.message == REFUSED.message
    assert REFUSED.pushback_ms is None  # the one it was made from is left as it was


def test_pauses_double_up_to_a_limit() -> None:
    clock, service = Clock(), Script(*[LOST] * 7, FOUND)
    reply = Outcome(retrying(clock, service, attempts=8)(search()))
    made = []
    while reply.pending:
        [timer] = clock.getDelayedCalls()
        made.append(timer.getTime() - clock.seconds())
        clock.advance(made[-1])
    bounds = [0.025, 0.05, 0.1, 0.2, 0.25, 0.25, 0.25]
    assert all(0.5 * bound <= pause <= 1.5 * bound for pause, bound in zip(made, bounds, strict=True))


def test_a_retry_goes_elsewhere() -> None:
    down, up = replica("a", UNREACHABLE, UNREACHABLE), replica("b", FOUND, FOUND)
    service = retrying(Clock(), balancer(down, up))
    for _ in range(2):
        assert Outcome(service(search())).result() is FOUND
    assert (down.calls, up.calls) == (1, 2)  # one that failed is no first choice


def test_with_one_endpoint_a_retry_goes_there_again() -> None:
    alone = replica("a", UNREACHABLE, FOUND)
    assert Outcome(retrying(Clock(), balancer(alone))(search())).result() is FOUND


faults = st.builds(
    RpcError,
    st.sampled_from([Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.INTERNAL]),
    processed=st.sampled_from(Processed),
    pushback_ms=st.none() | st.integers(-1, 50),
)


@given(st.lists(faults, max_size=6), st.integers(1, 5), st.integers())
def test_an_unsafe_call_never_reaches_two_handlers(schedule: list[RpcError], attempts: int, seed: int) -> None:
    clock, service = Clock(), Script(*schedule, *[FOUND] * 6)
    reply = Outcome(
        stack(Retry(tx.Clock(clock), random.Random(seed), Budget(tx.Clock(clock)), attempts), to=service)(unsafe())
    )
    while reply.pending:
        clock.advance(1.0)
    ended = [*schedule, *[FOUND] * 6][: len(service.calls)]
    untouched = (Processed.NOT_SENT, Processed.REFUSED)
    assert sum(not (isinstance(each, RpcError) and each.processed in untouched) for each in ended) <= 1
    assert len(service.calls) <= attempts
