"""Deadlines, cancellation and retries over real connections: three hops in memory, and one that is cut anywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from recmesh.rpc import Call, Channel, Context, Handlers, Method, Service, Status
from recmesh.testing import FakeClock, Wire
from recmesh.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from recmesh.v1.health_rpc import HEALTH_CHECK, HealthStub
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.mesh.faults import IDEMPOTENT, UNSAFE, World, nothing_unhandled
from tests.mesh.kit import LOST, Outcome, Script, never

__all__ = ["nothing_unhandled"]

HOPS = 3


class Chain:
    """caller -> two processes -> the leaf: a connection each, and each asks the next through policies of its own."""

    def __init__(self, leaf: Callable[[], Deferred[HealthCheckResponse]], lag: float = 0.0) -> None:
        self.clock = FakeClock()
        self.contexts: list[Context] = []  # in which the handlers were called, the leaf's last
        self.worlds = [World(clock=self.clock) for _ in range(HOPS)]
        self.wires: list[Wire] = []
        self._lag = lag

        async def answer(request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
            self.contexts.append(context)
            return await leaf()

        behind = self._over_a_connection(answer)
        for world in self.worlds[1:]:
            behind = self._over_a_connection(self._process(world.behind_policies(behind)))
        self.stub = HealthStub(Channel(self.worlds[0].behind_policies(behind)))

    def ask(self, deadline: float | None) -> Outcome[HealthCheckResponse]:
        asked = Outcome(self.stub.check(HealthCheckRequest(), Context(deadline)))
        self.move()
        return asked

    def move(self) -> None:
        for _ in range(HOPS + 1):
            for wire in self.wires:
                wire.move()

    def assert_idle(self) -> None:
        for world in self.worlds:
            assert (world.breaker.in_flight, world.breaker.queued) == (0, 0)
        for wire in self.wires:
            assert (wire.client.in_flight, wire.server.in_flight) == (0, 0)
            wire.cut()
        assert not self.clock.timers

    def _process(self, behind: Service) -> Callable[[HealthCheckRequest, Context], object]:
        stub = HealthStub(Channel(behind))

        async def handle(request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
            self.contexts.append(context)
            if self._lag:
                await self.clock.sleep(self._lag)
            return await stub.check(request)

        return handle

    def _over_a_connection(self, handler: Callable[[HealthCheckRequest, Context], object]) -> Service:
        handlers = Handlers()
        handlers.add(HEALTH_CHECK, handler)
        wire = Wire(handlers, clock=self.clock)
        wire.move()
        self.wires.insert(0, wire)
        return wire.client


def answered() -> Deferred[HealthCheckResponse]:
    answer = never()
    answer.callback(HealthCheckResponse())
    return answer


def test_d01_a_deadline_shrinks_by_a_margin_a_hop_and_never_grows() -> None:
    chain = Chain(answered)
    assert chain.ask(deadline=0.4).result() == HealthCheckResponse()
    seen = [context.deadline for context in chain.contexts]
    assert seen == pytest.approx([0.4, 0.4 * 0.98, 0.4 * 0.98**2], abs=1e-5)


def test_d01_time_that_passes_at_a_hop_is_gone_for_those_behind() -> None:
    chain = Chain(answered, lag=0.1)
    asked = chain.ask(deadline=0.4)
    for _ in range(2):
        chain.clock.advance(0.1)
        chain.move()
    assert asked.result() == HealthCheckResponse()
    first, second, leaf = (context.deadline or 0.0 for context in chain.contexts)
    assert first == pytest.approx(0.4) and second == pytest.approx(0.4 - 0.3 * 0.02, abs=1e-5)
    assert leaf == pytest.approx(second - (second - 0.2) * 0.02, abs=1e-5)


@pytest.mark.usefixtures("nothing_unhandled")
def test_d04_a_call_whose_time_is_up_at_a_hop_does_not_reach_the_next() -> None:
    chain = Chain(answered, lag=0.1)
    asked = chain.ask(deadline=0.1)
    chain.clock.advance(0.1)
    chain.move()
    assert asked.error().status is Status.DEADLINE_EXCEEDED
    assert len(chain.contexts) == 1
    chain.assert_idle()


@pytest.mark.usefixtures("nothing_unhandled")
def test_d05_a_cancelled_call_is_cancelled_at_the_leaf_and_frees_every_place() -> None:
    hanging = never()
    chain = Chain(lambda: hanging)
    asked = chain.ask(deadline=None)
    assert [wire.server.in_flight for wire in chain.wires] == [1, 1, 1]
    asked.cancel()
    chain.move()
    assert hanging.called
    chain.assert_idle()


@pytest.mark.usefixtures("nothing_unhandled")
def test_d05_a_deadline_ends_the_work_at_every_hop() -> None:
    hanging = [never() for _ in range(40)]
    left = iter(hanging)
    chain = Chain(lambda: next(left))
    asked = chain.ask(deadline=0.4)
    for _ in range(50):
        chain.clock.advance(0.01)
        chain.move()
    assert asked.error().status is Status.DEADLINE_EXCEEDED
    assert all(each.called for each in hanging[: len(chain.contexts) - 2])
    chain.assert_idle()


def test_r05_only_the_hop_before_a_dead_leaf_asks_again() -> None:
    """Its last failure says over every connection that no other hop should."""
    chain = Chain(answered)
    leaf = Script(LOST, LOST, LOST)
    handlers = Handlers()
    handlers.add(HEALTH_CHECK, chain._process(chain.worlds[2].behind_policies(leaf)))
    wire = Wire(handlers, clock=chain.clock)
    stub = HealthStub(Channel(chain.worlds[1].behind_policies(wire.client)))
    wire.move()
    asked = Outcome(stub.check(HealthCheckRequest()))
    for _ in range(20):
        wire.move()
        chain.clock.advance(0.05)
    assert (asked.error().status, asked.error().pushback_ms) == (Status.UNAVAILABLE, -1)
    assert len(leaf.calls) == 3 and len(chain.contexts) == 1


cuts = st.tuples(st.sampled_from(["", "drain"]), st.floats(0.0, 1.0), st.floats(0.0, 1.0))


@pytest.mark.usefixtures("nothing_unhandled")
@settings(max_examples=300, deadline=None)
@given(st.lists(cuts, max_size=3), st.sampled_from([UNSAFE, IDEMPOTENT]))
def test_r01_an_unsafe_call_runs_once_wherever_its_connections_are_cut(
    schedule: list[tuple[str, float, float]], method: Method[SearchRequest, SearchResponse]
) -> None:
    world, wires, ran = World(), list[Wire](), list[Context]()
    handlers = Handlers()

    async def handle(request: SearchRequest, context: Context) -> SearchResponse:
        ran.append(context)
        return SearchResponse()

    async def connect(call: Call) -> Message:
        wires.append(Wire(handlers, clock=world.clock))
        wires[-1].move()
        return await wires[-1].client(call)

    handlers.add(method, handle)
    asked = Outcome(world.behind_policies(connect)(world.call(method)))
    for before, up, down in schedule:
        if asked.done:
            break
        _deliver(wires[-1], before, up, down)
        wires[-1].cut()
        world.clock.advance(1.0)
    while not asked.done:
        wires[-1].move()
        world.clock.advance(1.0)
    for wire in wires:
        wire.cut()
    assert method is IDEMPOTENT or len(ran) <= 1
    world.assert_quiet()


def _deliver(wire: Wire, before: str, up: float, down: float) -> None:
    """A share of what is on its way to the server, and of its answer."""
    if before == "drain":
        wire.server.drain(1.0)
    data = wire.up.take()
    wire.server.data_received(data[: round(len(data) * up)])
    data = wire.down.take()
    wire.client.data_received(data[: round(len(data) * down)])
