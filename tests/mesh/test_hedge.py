"""Hedge."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from recmesh.mesh.budget import Budget
from recmesh.mesh.failure import code_of
from recmesh.mesh.hedge import Hedge, Hedges, tally
from recmesh.mesh.retry import Retry
from recmesh.rpc import Call, Channel, Context, Handlers, Method, Service, frames, stack
from recmesh.testing import FakeClock, Wire, begin, frames_of
from recmesh.v1 import health_pb2
from recmesh.v1.health_rpc import HEALTH_CHECK, HealthStub
from recmesh.v1.retrieval_pb2 import SearchRequest
from recmesh.wire.v1 import wire_pb2
from tests.mesh.faults import IDEMPOTENT, READING, UNSAFE, Fault, World, nothing_unhandled
from tests.mesh.kit import FOUND, LOST, Outcome, never
from tests.mesh.test_timeout import WATCH, Nowhere

__all__ = ["nothing_unhandled"]

USUAL = 0.010  # seconds that a call takes


class Shard:
    """Two endpoints behind a hedge, whose calls take as long as a test says."""

    def __init__(self, **policies: Callable[..., bool]) -> None:
        self.clock = FakeClock()
        self.budget = Budget(self.clock, floor=100.0)  # so that it is not what keeps hedges few
        self.hedge = Hedge(self.clock, self.budget, **policies)
        self.service: Service = stack(self.hedge, to=self.answer)
        self.seconds = USUAL
        self.calls: list[Call] = []
        self.ends: list[str] = []
        self.in_flight = 0

    async def answer(self, call: Call) -> Message:
        self.calls.append(call)
        call.tried.add("b" if "a" in call.tried else "a")
        self.in_flight += 1
        outcome: BaseException | None = None
        try:
            await self.clock.sleep(self.seconds)
            return FOUND
        except BaseException as error:
            outcome = error
            raise
        finally:
            self.in_flight -= 1
            self.ends.append(code_of(outcome))

    def ask(self, method: Method[Any, Any] = READING) -> Outcome[Message]:
        return Outcome(self.service(Call(method, SearchRequest(), Context(attempt=1))))

    def warm_up(self, calls: int = 100, method: Method[Any, Any] = READING) -> None:
        for _ in range(calls):
            reply = self.ask(method)
            self.clock.advance(self.seconds)
            assert reply.result() is FOUND
        self.calls.clear()
        self.ends.clear()


def test_a_call_slower_than_most_gets_a_copy_elsewhere_and_the_first_answer_counts() -> None:
    shard = Shard()
    shard.warm_up()
    shard.seconds = 5.0
    reply = shard.ask()
    shard.clock.advance(0.9 * USUAL)
    assert len(shard.calls) == 1
    shard.seconds = USUAL
    shard.clock.advance(0.2 * USUAL)
    first, second = shard.calls
    assert (first.context.hedge, second.context.hedge, second.context.attempt) == (False, True, 1)
    assert second.tried == {"a", "b"}
    shard.clock.advance(USUAL)
    assert reply.result() is FOUND
    assert shard.ends == ["OK", "CANCELLED"] or shard.ends == ["CANCELLED", "OK"]
    assert (shard.hedge.sent, shard.hedge.won, shard.in_flight) == (1, 1, 0)
    assert not shard.clock.timers


def test_there_is_only_one_copy() -> None:
    shard = Shard()
    shard.warm_up()
    shard.seconds = 5.0
    reply = shard.ask()
    for _ in range(400):
        shard.clock.advance(USUAL)
    assert len(shard.calls) == 2 and not reply.done
    reply.cancel()
    assert shard.in_flight == 0 and not shard.clock.timers


def slow_call(shard: Shard, method: Method[Any, Any] = READING) -> int:
    """How many copies of a slow call there are."""
    shard.seconds = 0.5
    reply = shard.ask(method)
    shard.clock.advance(0.25)
    copies = len(shard.calls)
    shard.clock.advance(0.5)
    assert reply.result() is FOUND
    return copies


def test_none_before_there_is_enough_to_know_what_is_slow() -> None:
    shard = Shard()
    shard.warm_up(99)
    assert slow_call(shard) == 1


@pytest.mark.parametrize("method", [IDEMPOTENT, UNSAFE])
def test_only_what_changes_nothing_is_hedged(method: Method[Any, Any]) -> None:
    shard = Shard()
    shard.warm_up(200, method)
    shard.warm_up(200)
    assert slow_call(shard, method) == 1


def test_streams_are_not_hedged() -> None:
    shard = Shard()
    for _ in range(200):
        reply = Outcome(shard.service(Call(WATCH, SearchRequest(), replies=Nowhere())))
        shard.clock.advance(USUAL)
        reply.result()
    shard.calls.clear()
    shard.seconds = 0.5
    Outcome(shard.service(Call(WATCH, SearchRequest(), replies=Nowhere())))
    shard.clock.advance(0.25)
    assert len(shard.calls) == 1


@pytest.mark.parametrize("policies", [{"refusing": lambda: True}, {"elsewhere": lambda call: False}])
def test_none_while_an_endpoint_refuses_and_none_where_there_is_no_other(
    policies: dict[str, Callable[..., bool]],
) -> None:
    shard = Shard(**policies)
    shard.warm_up()
    assert slow_call(shard) == 1
    assert shard.hedge.sent == 0


def test_none_without_a_budget() -> None:
    shard = Shard()
    shard.warm_up()
    while shard.budget.spend():
        pass
    assert slow_call(shard) == 1


def test_a_failure_before_the_copy_is_left_to_retry() -> None:
    clock = FakeClock()
    hedge = Hedge(clock, Budget(clock))

    async def service(call: Call) -> Message:
        await clock.sleep(USUAL)
        return FOUND

    async def failing(call: Call) -> Message:
        raise LOST

    for _ in range(100):
        begin(_asked(stack(hedge, to=service), Call(READING, SearchRequest())))
        clock.advance(USUAL)
    assert Outcome(stack(hedge, to=failing)(Call(READING, SearchRequest()))).error() is LOST
    assert not clock.timers


def test_copies_are_counted_for_whoever_asks() -> None:
    shard = Shard()
    shard.warm_up()
    hedges = Hedges()

    async def asking() -> Message:
        tally.set(hedges)
        return await shard.service(Call(READING, SearchRequest()))

    shard.seconds = 0.5
    reply = begin(asking())
    shard.clock.advance(0.25)
    shard.clock.advance(0.25)
    assert reply.result() is FOUND and hedges.sent == 1


@pytest.mark.usefixtures("nothing_unhandled")
@pytest.mark.parametrize("slow_from", [0, 1_000])
def test_h01_no_more_than_a_twentieth_is_hedged(slow_from: int) -> None:
    """In the long run, and also where all endpoints become slow at once."""
    shard, rng = Shard(), random.Random(1)
    replies = []
    for number in range(3_000):
        shard.seconds = rng.lognormvariate(-4.6, 1.0) * (20 if number > slow_from > 0 else 1)
        replies.append(shard.ask())
        shard.clock.advance(0.002)
        assert shard.hedge.sent <= 0.05 * len(replies)
    shard.clock.advance(60.0)
    shard.clock.advance(60.0)
    assert all(reply.result() is FOUND for reply in replies)
    assert 0 < shard.hedge.sent <= 0.05 * 3_000
    assert shard.in_flight == 0 and not shard.clock.timers


def test_h02_the_loser_is_told_that_it_was_superseded_and_is_no_failure() -> None:
    """Over two connections: the one that hangs, and the one that answers."""
    clock, hanging, ends = FakeClock(), never(), list[str]()

    async def hang(request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        await hanging
        return health_pb2.HealthCheckResponse()

    async def answer(request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        assert context.hedge
        return health_pb2.HealthCheckResponse()

    wires = [_wire(clock, hang), _wire(clock, answer)]

    async def pick(call: Call) -> Message:
        wire = wires[len(call.tried)]
        call.tried.add(str(len(call.tried)))
        outcome: BaseException | None = None
        try:
            return await wire.client(call)
        except BaseException as error:
            outcome = error
            raise
        finally:
            ends.append(code_of(outcome))

    hedge = Hedge(clock, Budget(clock))
    warm = stack(hedge, to=lambda call: _health())
    for _ in range(100):
        Outcome(HealthStub(Channel(warm)).check(health_pb2.HealthCheckRequest())).result()
    reply = Outcome(HealthStub(Channel(stack(hedge, to=pick))).check(health_pb2.HealthCheckRequest()))
    _move(wires)
    clock.advance(0.1)
    wires[1].move()
    assert isinstance(reply.result(), health_pb2.HealthCheckResponse)
    [(kind, _, _, meta, _)] = frames_of(bytes(wires[0].up.written))
    assert kind == frames.CANCEL and wire_pb2.Cancel.FromString(meta).why == wire_pb2.Cancel.SUPERSEDED
    _move(wires)
    assert sorted(ends) == ["CANCELLED", "OK"] and hanging.called
    assert [(wire.client.in_flight, wire.server.in_flight) for wire in wires] == [(0, 0), (0, 0)]


def _wire(clock: FakeClock, handler: Callable[..., object]) -> Wire:
    handlers = Handlers()
    handlers.add(HEALTH_CHECK, handler)
    wire = Wire(handlers, clock=clock)
    wire.move()
    return wire


def _move(wires: list[Wire]) -> None:
    for wire in wires:
        wire.move()


async def _health() -> Message:
    return health_pb2.HealthCheckResponse()


async def _asked(service: Service, call: Call) -> Message:
    return await service(call)


def test_h05_with_one_slow_replica_of_thirty_the_99th_percentile_is_three_times_better() -> None:
    assert 3 * _p99(hedged=True) < _p99(hedged=False)


def _p99(hedged: bool) -> float:
    clock, rng, took = FakeClock(), random.Random(7), list[float]()
    names = [str(number) for number in range(30)]

    async def replica(call: Call) -> Message:
        name = rng.choice([each for each in names if each not in call.tried])
        call.tried.add(name)
        await clock.sleep(rng.lognormvariate(-4.6, 0.3) * (20 if name == "0" else 1))
        return FOUND

    budget = Budget(clock)
    retry, hedge = Retry(clock, rng, budget), Hedge(clock, budget)
    service = stack(retry, hedge, to=replica) if hedged else stack(retry, to=replica)

    async def ask() -> None:
        began = clock.seconds()
        await service(Call(READING, SearchRequest()))
        took.append(clock.seconds() - began)

    asked = []
    for _ in range(5_000):
        asked.append(begin(ask()))
        clock.advance(0.002)
    clock.advance(9.0)
    assert all(each.done for each in asked) and not clock.timers
    return sorted(took)[int(0.99 * len(took))]


@pytest.mark.usefixtures("nothing_unhandled")
@settings(max_examples=200, deadline=None)
@given(st.integers())
def test_whatever_is_slow_every_hedged_call_ends_once(seed: int) -> None:
    rng = random.Random(seed)
    took = [0.0, 0.01, 0.02, 0.3, 0.7, 3.0]
    world = World((Fault(rng.choices(took, [20, 20, 20, 2, 2, 1])[0]) for _ in range(400)), seed=seed)
    calls = []
    for _ in range(180):
        calls.append(begin(_asked(world.service, world.call(READING))))
        world.clock.advance(rng.uniform(0.0, 0.1))
    for each in rng.sample(calls, 20):
        each.cancel()
    world.run_out()
    assert all(each.done for each in calls)
    assert world.hedge.sent <= 0.05 * world.attempts
    world.assert_quiet()
