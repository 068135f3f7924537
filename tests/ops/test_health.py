"""The health of a process, over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from recmesh.ops.health import Health
from recmesh.rpc import Channel, Handlers
from recmesh.rpc.status import RpcError, Status
from recmesh.testing import begin
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HealthStub


def check(health: Health, service: str = "") -> int:
    handlers = Handlers()
    health.register(handlers)
    outcomes: list[Any] = []
    asked = HealthStub(Channel(handlers)).check(pb.HealthCheckRequest(service=service))
    Deferred.fromCoroutine(asked).addBoth(outcomes.append)
    if isinstance(outcomes[0], Failure):
        outcomes[0].raiseException()
    return outcomes[0].status  # type: ignore[no-any-return]


def test_serves_from_start_to_stop() -> None:
    health = Health()
    assert check(health) == pb.HealthCheckResponse.NOT_SERVING
    health.serve(["recmesh.v1.Ranking"])
    assert check(health) == check(health, "recmesh.v1.Ranking") == pb.HealthCheckResponse.SERVING
    health.stop("draining")
    assert check(health) == check(health, "recmesh.v1.Ranking") == pb.HealthCheckResponse.NOT_SERVING


def test_an_unknown_service_is_not_found() -> None:
    with pytest.raises(RpcError) as caught:
        check(Health(), "recmesh.v1.Nothing")
    assert caught.value.status is Status.NOT_FOUND


def test_a_watch_tells_every_change_and_ends_with_the_process() -> None:
    health, handlers = Health(), Handlers()
    health.register(handlers)
    seen = list[int]()

    async def watch(service: str) -> None:
        async for each in HealthStub(Channel(handlers)).watch(pb.HealthCheckRequest(service=service)):
            seen.append(each.status)

    states = pb.HealthCheckResponse
    watching = begin(watch("recmesh.v1.Ranking"))
    assert seen == [states.SERVICE_UNKNOWN]
    health.serve(["recmesh.v1.Ranking"])
    assert seen[1:] == [states.SERVING]
    health.serve(["recmesh.v1.Ranking"])
    assert len(seen) == 2 and not watching.done
    health.stop("draining")
    assert seen[2:] == [states.NOT_SERVING] and watching.done
