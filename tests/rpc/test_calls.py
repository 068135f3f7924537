"""Calls over a connection in memory, on a clock the test moves: outcomes, deadlines, cancellation, limits."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.rpc import Call, Context, Handlers, Method, Origin, Processed, RpcError, Service, Status
from recmesh.testing import Wire, begin, call_frame, status_frame
from recmesh.v1 import health_pb2 as pb
from recmesh.v1.health_rpc import HEALTH_CHECK
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import PATH, SERVING, Health, ask, statuses, stub


def failure(line: Wire, name: str, context: Context | None = None) -> RpcError:
    """What a call of this name is answered with."""
    asked = begin(stub(line.client).check(ask(name), context))
    line.move()
    with pytest.raises(RpcError) as caught:
        asked.result()
    return caught.value


# Outcomes.


def test_a_call_is_answered(line: Wire) -> None:
    asked = begin(stub(line.client).check(ask()))
    assert not asked.done and line.client.in_flight == 1
    line.move()
    assert asked.result() == SERVING and line.client.in_flight == 0


def test_the_first_calls_go_out_with_hello() -> None:
    line = Wire(Health().handlers())
    asked = begin(stub(line.client).check(ask()))
    assert line.client.peer is None
    line.move()
    assert asked.result() == SERVING
    assert line.client.peer is not None and line.client.peer.node_id == "server"
    assert line.server.peer is not None and line.server.peer.node_id == "client"


def test_calls_are_answered_in_any_order(line: Wire, health: Health) -> None:
    slow, fast = begin(stub(line.client).check(ask("wait"))), begin(stub(line.client).check(ask()))
    line.move()
    assert fast.done and not slow.done and line.server.in_flight == 1
    health.release()
    line.move()
    assert slow.result() == SERVING and line.server.in_flight == 0


def test_the_context_reaches_the_handler(line: Wire, health: Health) -> None:
    given = Context(
        deadline=line.clock.seconds() + 2.0,
        metadata={"text": "ä", "bytes": b"\xff", "empty": ""},
        trace=bytes(range(25)),
        tracestate="a=b",
        criticality=3,
        attempt=2,
        hedge=True,
    )
    begin(stub(line.client).check(ask(), given))
    line.move()
    (got,) = health.contexts
    assert got.peer == "test" and got.metadata == given.metadata
    assert (got.deadline, got.trace, got.tracestate) == (given.deadline, given.trace, "a=b")
    assert (got.criticality, got.attempt, got.hedge) == (3, 2, True)


def test_a_trace_of_the_wrong_length_is_dropped(line: Wire, health: Health) -> None:
    begin(stub(line.client).check(ask(), Context(trace=b"short")))
    line.move()
    assert health.contexts[0].trace == b""


def test_a_status_raised_by_a_handler_reaches_the_caller(line: Wire) -> None:
    error = failure(line, "refuse")
    assert (error.status, error.message, error.pushback_ms) == (Status.NOT_FOUND, "no such service", -1)
    assert (error.processed, error.origin) == (Processed.YES, Origin.APP)


def test_an_exception_in_a_handler_is_logged_and_its_text_kept_from_the_caller(
    line: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    error = failure(line, "fail")
    assert (error.status, error.message) == (Status.UNKNOWN, "the handler failed")
    assert (error.processed, error.origin) == (Processed.YES, Origin.SERVER)
    assert PATH in caplog.text and "a secret" in caplog.text


def test_a_handler_that_fails_after_waiting_is_logged_too(
    line: Wire, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    asked = begin(stub(line.client).check(ask("wait")))
    line.move()
    health.waiting.pop().errback(ValueError("a secret"))
    line.move()
    with pytest.raises(RpcError, match="UNKNOWN: the handler failed"):
        asked.result()
    assert "a secret" in caplog.text and "Traceback" in caplog.text


def test_a_reply_of_the_wrong_type_is_internal(line: Wire, caplog: pytest.LogCaptureFixture) -> None:
    error = failure(line, "wrong")
    assert (error.status, error.message) == (
        Status.INTERNAL,
        "the handler returned no grpc.health.v1.HealthCheckResponse",
    )
    assert "returned a HealthCheckRequest" in caplog.text


def test_an_unknown_method_is_unimplemented(line: Wire) -> None:
    method = Method("/no.Such/Method", pb.HealthCheckRequest, pb.HealthCheckResponse)
    asked = begin(line.client(Call(method, ask())))
    line.move()
    with pytest.raises(RpcError, match=r"UNIMPLEMENTED: .*'/no.Such/Method'") as caught:
        asked.result()
    assert caught.value.processed == Processed.REFUSED


def test_a_request_that_does_not_parse_is_internal(line: Wire) -> None:
    line.server.data_received(call_frame(1, PATH, b"\xff"))
    (status,) = statuses(line)
    assert (status.code, status.message) == (Status.INTERNAL, "the request is no grpc.health.v1.HealthCheckRequest")
    assert (status.processed, status.origin) == (wire.REFUSED, wire.SERVER)


def test_a_reply_that_does_not_parse_is_internal(line: Wire) -> None:
    asked = begin(stub(line.client).check(ask()))
    line.client.data_received(status_frame(1, payload=b"\xff"))
    with pytest.raises(RpcError, match=r"INTERNAL: the reply is no grpc.health.v1.HealthCheckResponse") as caught:
        asked.result()
    assert (caught.value.processed, caught.value.origin) == (Processed.YES, Origin.CLIENT)


def test_codes_of_later_versions_are_unknown(line: Wire) -> None:
    asked = begin(stub(line.client).check(ask()))
    line.client.data_received(status_frame(1, 77, message="later", processed=9, origin=9))
    with pytest.raises(RpcError, match="UNKNOWN: later") as caught:
        asked.result()
    assert (caught.value.processed, caught.value.origin) == (Processed.MAYBE, Origin.UNSPECIFIED)


def test_a_long_message_of_an_error_is_cut_and_a_strange_one_replaced(line: Wire, health: Health) -> None:
    for text, sent in (("ä" * 5_000, "ä" * 1_000), ("a \ud800 b", "a ? b")):
        asked = begin(stub(line.client).check(ask("wait")))
        line.move()
        health.waiting.pop().errback(RpcError(Status.ABORTED, text))
        line.move()
        with pytest.raises(RpcError) as caught:
            asked.result()
        assert caught.value.message == sent


def test_the_answer_says_how_long_the_call_waited_and_ran(line: Wire, health: Health) -> None:
    begin(stub(line.client).check(ask("wait")))
    line.move()
    line.clock.advance(0.25)
    health.release()
    (status,) = statuses(line)
    assert (status.queue_us, status.service_us) == (0, 250_000)


# Filters, and what a handler may do.


def test_filters_stand_before_the_handlers_and_may_refuse(health: Health) -> None:
    async def admit(call: Call, service: Service) -> Message:
        if call.request == ask("refuse"):
            raise RpcError(Status.RESOURCE_EXHAUSTED, "too many", processed=Processed.REFUSED, pushback_ms=70)
        return await service(call)

    line = Wire(health.handlers(), filters=[admit])
    line.move()
    assert failure(line, "fail").processed == Processed.YES
    error = failure(line, "refuse")
    assert (error.status, error.processed, error.pushback_ms) == (Status.RESOURCE_EXHAUSTED, Processed.REFUSED, 70)
    assert health.asked == ["fail"]


def test_the_failure_of_a_call_that_a_handler_made_is_not_taken_for_a_refusal_of_its_own() -> None:
    async def relay(request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        raise RpcError(Status.UNAVAILABLE, "backend down", processed=Processed.NOT_SENT, origin=Origin.CLIENT)

    handlers = Handlers()
    handlers.add(HEALTH_CHECK, relay)
    assert failure(Wire(handlers), "x").processed == Processed.YES


def test_a_service_that_is_no_coroutine_may_answer() -> None:
    def at_once(call: Call, service: Service) -> Deferred[Message]:
        return Deferred.fromCoroutine(service(call))  # type: ignore[arg-type]

    line = Wire(Health().handlers(), filters=[at_once])
    asked = begin(stub(line.client).check(ask()))
    line.move()
    assert asked.result() == SERVING


def test_a_handler_keeps_its_context_variables_and_only_its_own() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="outside")
    seen: list[str] = []
    gates: list[Deferred[None]] = []

    async def handler(request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        token = variable.set(request.service)
        gates.append(Deferred())
        await gates[-1]
        seen.append(variable.get())
        variable.reset(token)
        seen.append(variable.get())
        return SERVING

    handlers = Handlers()
    handlers.add(HEALTH_CHECK, handler)
    line = Wire(handlers)
    asked = [begin(stub(line.client).check(ask(name))) for name in "ab"]
    line.move()
    for gate in gates:
        gate.callback(None)
    line.move()
    assert [each.result() for each in asked] == [SERVING, SERVING]
    assert seen == ["a", "outside", "b", "outside"] and variable.get() == "outside"
