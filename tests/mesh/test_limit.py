"""Limit."""

from __future__ import annotations

import random

from recmesh.mesh.limit import Limit
from recmesh.rpc import Call, Processed, Status, stack
from recmesh.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from recmesh.v1.health_rpc import HEALTH_CHECK
from tests.mesh.kit import FOUND, LOST, Outcome, Script, never, search


def test_calls_beyond_the_limit_are_refused_before_the_handler_and_told_when_to_come_back() -> None:
    answer = never()
    limit, service = Limit(2, random.Random(1)), Script(answer, never(), FOUND)
    door = stack(limit, to=service)
    waiting = [Outcome(door(search())) for _ in range(2)]
    error = Outcome(door(search())).error()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.REFUSED)
    assert error.pushback_ms is not None and 50 <= error.pushback_ms <= 200
    assert "no more than 2" in error.message
    assert len(service.calls) == 2
    answer.callback(FOUND)
    assert waiting[0].result() is FOUND and limit.in_flight == 1
    assert Outcome(door(search())).result() is FOUND


def test_a_call_that_fails_or_is_cancelled_gives_its_place_back() -> None:
    limit = Limit(1, random.Random(1))
    door = stack(limit, to=Script(LOST, never()))
    Outcome(door(search())).error()
    Outcome(door(search())).cancel()
    assert limit.in_flight == 0


def test_a_place_is_kept_until_the_handler_really_ends() -> None:
    limit, stubborn = Limit(1, random.Random(1)), never()

    async def handler(call: Call) -> HealthCheckResponse:
        try:
            await never()
        finally:
            await stubborn
        return HealthCheckResponse()

    call = Outcome(stack(limit, to=handler)(search()))
    call.cancel()
    assert limit.in_flight == 1
    stubborn.callback(None)
    assert limit.in_flight == 0


def test_health_is_answered_at_the_limit() -> None:
    door = stack(Limit(0, random.Random(1)), to=Script(HealthCheckResponse()))
    assert Outcome(door(Call(HEALTH_CHECK, HealthCheckRequest()))).result() == HealthCheckResponse()
