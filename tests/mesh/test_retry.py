"""Retry: alone, and with all other policies under arbitrary fault schedules."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from recmesh.mesh.budget import Budget
from recmesh.mesh.retry import Retry
from recmesh.rpc import Call, Context, Method, Processed, RpcError, Service, Status, stack, tx
from recmesh.rpc.call import ENDED, Kind
from recmesh.testing import begin
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.faults import IDEMPOTENT, READING, UNSAFE, Fault, World, nothing_unhandled, schedules
from tests.mesh.kit import FOUND, LOST, REFUSED, UNREACHABLE, Outcome, Script, append, search

__all__ = ["nothing_unhandled"]

INVALID = RpcError(Status.INVALID_ARGUMENT, "count")
OVERLOADED = RpcError(Status.UNAVAILABLE, "too much to do", processed=Processed.REFUSED, pushback_ms=100)
MOST_BACKOFF = 0.025 * 1.5


def unsafe() -> Call:
    return Call(UNSAFE, SearchRequest())


def retrying(clock: Clock, service: Service, attempts: int = 2, budget: Budget | None = None) -> Service:
    time = tx.Clock(clock)
    return stack(Retry(time, random.Random(1), budget or Budget(time), attempts), to=service)


def spent(clock: Clock) -> Budget:
    return Budget(tx.Clock(clock), earn=0.0, floor=0.0)


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


def test_a_second_refusal_is_waited_out_as_long_as_it_asks() -> None:
    clock, service = Clock(), Script(OVERLOADED, OVERLOADED, FOUND)
    reply = Outcome(retrying(clock, service, attempts=3)(search()))
    assert len(service.calls) == 2
    clock.advance(0.099)
    assert reply.pending and len(service.calls) == 2
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


@pytest.mark.parametrize("error", [LOST, OVERLOADED])
def test_without_a_budget_it_fails_at_once_and_says_so_further_up(error: RpcError) -> None:
    clock, service = Clock(), Script(error)
    failure = Outcome(retrying(clock, service, budget=spent(clock))(search())).error()
    assert (failure.status, failure.pushback_ms) == (error.status, -1)
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("error", [UNREACHABLE, REFUSED])
def test_what_cost_no_server_anything_needs_no_budget(error: RpcError) -> None:
    clock, service = Clock(), Script(error, FOUND)
    assert Outcome(retrying(clock, service, budget=spent(clock))(search())).result() is FOUND


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


def test_while_there_are_other_endpoints_the_unreachable_cost_no_pause() -> None:
    world = World([Fault(status=Status.UNAVAILABLE, processed=Processed.NOT_SENT)] * 2, endpoints=3)
    call = world.call(READING)
    assert Outcome(world.service(call)).result() is FOUND
    assert len(call.tried) == 3


def test_with_one_endpoint_a_second_retry_gives_it_a_moment() -> None:
    world = World([Fault(status=Status.UNAVAILABLE, processed=Processed.NOT_SENT)] * 2, endpoints=1)
    reply = Outcome(world.service(world.call(READING)))
    assert reply.pending and world.attempts == 2
    world.run_out()
    assert reply.result() is FOUND


def test_a_cancelled_caller_ends_the_pause() -> None:
    clock = Clock()
    Outcome(retrying(clock, Script(LOST))(search())).cancel()
    assert not clock.getDelayedCalls()


class Replies:
    def __init__(self, sent: int) -> None:
        self.sent = sent

    async def send(self, message: Any, /) -> None:
        self.sent += 1


def stream(sent: int = 0, requests: Any = None) -> Call:
    method = Method("/x.X/Watch", SearchRequest, SearchResponse, True, True, Kind.SERVER_STREAM)
    return Call(method, SearchRequest(), requests=requests, replies=Replies(sent))


def test_a_stream_is_repeated_while_nothing_of_it_has_been_used() -> None:
    service = Script(UNREACHABLE, ENDED)
    call = stream()
    assert Outcome(retrying(Clock(), service)(call)).result() is ENDED
    assert service.calls[1].replies is call.replies


async def _requests() -> Any:
    yield SearchRequest()


@pytest.mark.parametrize("call", [stream(sent=1), stream(requests=_requests())])
def test_a_stream_that_has_begun_is_not_repeated(call: Call) -> None:
    service = Script(UNREACHABLE)
    assert Outcome(retrying(Clock(), service)(call)).error() is UNREACHABLE


@pytest.mark.usefixtures("nothing_unhandled")
@settings(max_examples=1_500, deadline=None)
@given(schedules, st.lists(st.sampled_from([None, 0.2, 1.0]), min_size=1, max_size=6), st.integers())
def test_r01_an_unsafe_call_never_runs_twice(schedule: list[Fault], deadlines: list[float | None], seed: int) -> None:
    world = World(schedule, seed=seed)
    calls = [
        begin(_through(world.service, world.call(UNSAFE, str(at), deadline))) for at, deadline in enumerate(deadlines)
    ]
    world.run_out()
    assert all(each.done for each in calls)
    assert max(world.ran.values(), default=0) <= 1
    world.assert_quiet()


@settings(max_examples=500, deadline=None)
@given(schedules, st.sampled_from([IDEMPOTENT, READING]), st.integers())
def test_r01_a_cancelled_call_leaves_nothing_behind(schedule: list[Fault], method: Method[Any, Any], seed: int) -> None:
    world = World(schedule, seed=seed)
    calls = [begin(_through(world.service, world.call(method, str(at)))) for at in range(12)]
    world.clock.advance(world.rng.uniform(0.0, 1.0))
    for each in calls:
        each.cancel()
    assert all(each.done for each in calls)
    world.assert_quiet()


COSTLY = [
    Fault(0.01, Status.UNAVAILABLE, Processed.MAYBE),
    Fault(1.0),  # over the time of an attempt
    Fault(0.0, Status.RESOURCE_EXHAUSTED, Processed.MAYBE, pushback_ms=20),
    Fault(0.0, Status.UNAVAILABLE, Processed.REFUSED, pushback_ms=50),
]


@pytest.mark.usefixtures("nothing_unhandled")
@settings(max_examples=1_000, deadline=None)
@given(
    st.lists(st.sampled_from(COSTLY), max_size=20),
    st.sampled_from(COSTLY),
    st.lists(st.sampled_from([0.0, 0.001, 0.1, 2.0]), min_size=1, max_size=60),
    st.sampled_from([IDEMPOTENT, READING]),
    st.integers(),
)
def test_r04_when_everything_fails_attempts_stay_within_the_budget(
    schedule: list[Fault], at_last: Fault, pauses: list[float], method: Method[Any, Any], seed: int
) -> None:
    world = World(schedule, at_last, seed)
    calls = []
    for pause in pauses:
        calls.append(begin(_through(world.service, world.call(method))))
        world.clock.advance(pause)
    world.run_out()
    assert all(each.done for each in calls)
    floor = 1.0 * (world.clock.seconds() + 10.0)
    assert world.attempts <= 1.1 * len(calls) + floor
    world.assert_quiet()


def test_r04_an_outage_of_a_minute_costs_a_tenth_more() -> None:
    world = World(at_last=Fault(0.005, Status.UNAVAILABLE, Processed.MAYBE))
    for _ in range(6_000):
        begin(_through(world.service, world.call(READING)))
        world.clock.advance(0.01)
    world.run_out()
    assert 6_000 < world.attempts <= 1.1 * 6_000 + 60 + 10
    world.assert_quiet()


def _process(world: World, service: Service) -> Service:
    """One that answers by asking `service`, through policies of its own."""
    behind = world.behind_policies(service)

    async def handle(call: Call) -> Any:
        try:
            return await behind(Call(READING, SearchRequest(), call.context.child(world.clock.seconds())))
        except RpcError as error:
            raise error.of_handler() from error

    return handle


def test_r05_a_dead_leaf_under_three_hops_is_not_asked_27_times() -> None:
    leaf = World(at_last=Fault(0.005, Status.UNAVAILABLE, Processed.MAYBE))
    middle, outer, caller = (World(clock=leaf.clock, seed=seed) for seed in range(3))
    service = caller.behind_policies(_process(outer, _process(middle, leaf.endpoint)))
    calls = []
    for _ in range(3_000):
        calls.append(begin(_through(service, caller.call(READING))))
        leaf.clock.advance(0.01)
    leaf.run_out()
    for each in calls:
        with pytest.raises(RpcError, match="UNAVAILABLE: scheduled"):
            each.result()
    assert len(calls) < leaf.attempts <= 1.2 * len(calls)  # 1.4 where each hop kept to its budget alone
    for world in (leaf, middle, outer, caller):
        world.assert_quiet()


async def _through(service: Service, call: Call) -> Any:
    return await service(call)


def test_the_attempts_of_a_call_are_counted_apart_from_calls() -> None:
    clock = tx.Clock(Clock())
    retry = Retry(clock, random.Random(1), Budget(clock))
    Outcome(stack(retry, to=Script(UNREACHABLE, FOUND))(Call(READING, SearchRequest(), Context()))).result()
    assert (retry.repeated, retry.unaffordable) == (1, 0)
