"""Deadlines and cancellation over a connection in memory, on a clock the test moves."""

from __future__ import annotations

import logging

import pytest
from twisted.internet.defer import Deferred

from recmesh.rpc import Context, Handlers, Origin, Processed, RpcError, Status, frames
from recmesh.rpc.frames import Limits
from recmesh.testing import Wire, begin, call_frame, message_frame
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HEALTH_CHECK
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import SERVING, Health, ask, cancels, statuses, stub

# Deadlines.


def test_the_deadline_is_relative_on_the_wire_and_counted_from_the_servers_read(line: Wire, health: Health) -> None:
    begin(stub(line.client).check(ask(), Context(deadline=line.clock.seconds() + 1.5)))
    line.clock.advance(0.5)  # on its way
    line.move()
    assert health.contexts[0].deadline == pytest.approx(line.clock.seconds() + 1.5)


def test_a_deadline_that_has_passed_is_not_sent(line: Wire) -> None:
    asked = begin(stub(line.client).check(ask(), Context(deadline=line.clock.seconds())))
    with pytest.raises(RpcError, match="DEADLINE_EXCEEDED") as caught:
        asked.result()
    assert caught.value.processed == Processed.NOT_SENT and not line.up.written


@pytest.mark.parametrize("deadline", [float("inf"), 1e12])
def test_a_deadline_out_of_sight_is_none(line: Wire, health: Health, deadline: float) -> None:
    begin(stub(line.client).check(ask(), Context(deadline=deadline)))
    line.move()
    assert health.contexts[0].deadline is None


def test_at_the_deadline_the_caller_is_told_and_the_server_hears_cancel(line: Wire, health: Health) -> None:
    asked = begin(stub(line.client).check(ask("wait"), Context(deadline=line.clock.seconds() + 1.0)))
    line.move()
    line.server._deadlines.stop()  # as if the server's clock were slow
    line.clock.advance(1.0)
    with pytest.raises(RpcError, match="DEADLINE_EXCEEDED") as caught:
        asked.result()
    assert (caught.value.processed, caught.value.origin) == (Processed.MAYBE, Origin.CLIENT)
    assert cancels(line) == [wire.Cancel.DEADLINE]
    line.move()
    assert health.cancelled == 1 and line.server.in_flight == 0 and not statuses(line)


@pytest.mark.parametrize(("given", "bound"), [({"timeout_us": 1_000_000}, 1.0), ({}, 120.0)])
def test_a_request_that_never_ends_is_given_up(line: Wire, health: Health, given: dict[str, int], bound: float) -> None:
    line.move()
    line.server.data_received(call_frame(1, HEALTH_CHECK.path, b"x" * 1_000, flags=frames.MORE, **given))
    for _ in range(4):  # the connection itself is well, and its PINGs are answered
        line.clock.advance(bound / 4 - 0.01)
        assert not line.down.written or not statuses(line)
        line.move()
        assert line.server._calls.held == 1_000
    line.clock.advance(0.1)
    (status,) = statuses(line)
    assert (status.code, status.processed) == (Status.DEADLINE_EXCEEDED, wire.REFUSED)
    assert line.server._calls.held == 0 and not line.server._calls.busy and not health.asked
    line.server.data_received(message_frame(1, b"y", frames.END_STREAM))
    assert len(statuses(line)) == 1 and not line.server.ended


def test_at_the_deadline_the_server_cancels_the_handler_and_answers(line: Wire, health: Health) -> None:
    begin(stub(line.client).check(ask("wait"), Context(deadline=line.clock.seconds() + 1.0)))
    line.move()
    line.client._deadlines.stop()  # as if the client's clock were slow
    line.clock.advance(1.0)
    assert health.cancelled == 1 and line.server.in_flight == 0
    (status,) = statuses(line)
    assert (status.code, status.origin, status.processed) == (Status.DEADLINE_EXCEEDED, wire.SERVER, wire.YES)


def test_a_call_whose_time_is_up_before_its_handler_begins_is_refused(line: Wire, health: Health) -> None:
    class Slow(Health):
        async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
            line.clock.advance(0.3)  # a handler that computes; the second call waits behind it
            return await super().check(request, context)

    slow = Slow()
    line = Wire(slow.handlers())
    line.move()
    asked = [
        begin(stub(line.client).check(ask(name), Context(deadline=line.clock.seconds() + 0.2))) for name in ("a", "b")
    ]
    line.client._deadlines.stop()  # the answers are what is looked at
    line.move()
    with pytest.raises(RpcError, match="DEADLINE_EXCEEDED") as caught:
        asked[1].result()
    assert caught.value.processed == Processed.REFUSED and slow.asked == ["a"]


def test_many_deadlines_need_one_timer(line: Wire) -> None:
    before = len(line.clock.timers)
    asked = [
        begin(stub(line.client).check(ask("wait"), Context(deadline=line.clock.seconds() + 1 + 0.01 * n)))
        for n in range(50)
    ]
    assert len(line.clock.timers) == before + 1
    for n in range(50):
        line.clock.advance(1.0 if n == 0 else 0.01)
        assert sum(each.done for each in asked) == n + 1


def test_deadlines_of_answered_calls_are_not_kept(line: Wire) -> None:
    for _ in range(5_000):
        begin(stub(line.client).check(ask(), Context(deadline=line.clock.seconds() + 60)))
        line.move()
    assert len(line.client._deadlines._heap) < 2_000


# Cancellation.


def test_a_cancelled_caller_sends_cancel_and_the_handler_is_cancelled(line: Wire, health: Health) -> None:
    asked = begin(stub(line.client).check(ask("wait")))
    line.move()
    asked.cancel()
    assert cancels(line) == [wire.Cancel.CALLER] and line.client.in_flight == 0
    line.move()
    assert health.cancelled == 1 and line.server.in_flight == 0 and not line.down.written


def test_a_handler_that_does_not_end_when_cancelled_keeps_its_slot() -> None:
    gate: Deferred[None] = Deferred()

    async def stubborn(request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        try:
            await Deferred()
        finally:
            await gate
        return SERVING

    handlers = Handlers()
    handlers.add(HEALTH_CHECK, stubborn)
    line = Wire(handlers, server_limits=Limits(max_concurrent_calls=1))
    begin(stub(line.client).check(ask())).cancel()
    line.move()
    assert line.server.in_flight == 1
    begin(stub(line.client).check(ask()))
    line.move()
    gate.callback(None)
    assert line.server.in_flight == 0


def test_a_lost_connection_cancels_the_servers_handlers_and_fails_the_clients_calls(line: Wire, health: Health) -> None:
    asked = begin(stub(line.client).check(ask("wait")))
    line.move()
    line.cut("reset by a test")
    assert health.cancelled == 1 and line.server.in_flight == 0
    with pytest.raises(RpcError, match="UNAVAILABLE: the connection was lost: reset by a test") as caught:
        asked.result()
    assert caught.value.processed == Processed.MAYBE
    assert not line.clock.timers


def test_a_cancelled_handler_is_not_logged_as_a_failure(line: Wire, caplog: pytest.LogCaptureFixture) -> None:
    asked = begin(stub(line.client).check(ask("wait")))
    line.move()
    asked.cancel()
    with caplog.at_level(logging.DEBUG):
        line.move()
    assert not caplog.records


def test_shutting_the_client_cancels_its_calls(line: Wire, health: Health) -> None:
    asked = begin(stub(line.client).check(ask("wait")))
    line.move()
    line.client.shut()
    with pytest.raises(RpcError, match="CANCELLED: the endpoint was closed"):
        asked.result()
    assert cancels(line) == [wire.Cancel.SHUTDOWN]
    line.move()
    assert health.cancelled == 1 and line.client.ended


def test_shutting_the_server_answers_its_calls(line: Wire, health: Health) -> None:
    asked = begin(stub(line.client).check(ask("wait")))
    line.move()
    line.server.shut()
    line.move()
    with pytest.raises(RpcError, match="UNAVAILABLE: the server has stopped"):
        asked.result()
    assert health.cancelled == 1 and line.server.ended and not line.clock.timers


def test_a_call_over_the_servers_limit_of_calls_is_refused(health: Health) -> None:
    line = Wire(health.handlers(), server_limits=Limits(max_concurrent_calls=2))
    asked = [begin(stub(line.client).check(ask("wait"))) for _ in range(3)]  # before the server's HELLO is known
    line.move()
    with pytest.raises(RpcError, match="UNAVAILABLE: 2 calls are running on this connection") as caught:
        asked[2].result()
    assert caught.value.processed == Processed.REFUSED and len(health.waiting) == 2
