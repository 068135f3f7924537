"""Whatever order answers, cancels, deadlines and the end of the connection come in, a call ends exactly once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from recmesh.rpc import Context, RpcError, Status
from recmesh.rpc.frames import Limits
from recmesh.testing import Begun, MemoryTransport, Wire, begin
from recmesh.v1 import health_pb2 as pb
from tests.rpc.kit import SERVING, Health, ask, stub

CALLS = 4
STEPS = ["to the server", "to the client", "release", "advance", "cancel", "cut", "drain", "shut the server"]


def deliver(line: Wire, source: MemoryTransport, to_server: bool) -> None:
    data = source.take()
    end = line.server if to_server else line.client
    if data and not end.ended:
        end.data_received(data)


def take(step: str, line: Wire, health: Health, asked: list[Begun[pb.HealthCheckResponse]], which: int) -> None:
    if step == "to the server":
        deliver(line, line.up, to_server=True)
    elif step == "to the client":
        deliver(line, line.down, to_server=False)
    elif step == "release":
        health.release()
    elif step == "advance":
        line.clock.advance(0.4)
    elif step == "cancel":
        asked[which].cancel()
    elif step == "cut":
        line.cut()
    elif step == "drain" and not line.server.ended:
        line.server.drain(1.0)
    elif step == "shut the server" and not line.server.ended:
        line.server.shut()


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, CALLS - 1)), max_size=25), st.integers(1, CALLS))
@settings(max_examples=400, deadline=None)
def test_every_call_ends_exactly_once(steps: list[tuple[str, int]], slots: int) -> None:
    health = Health()
    line = Wire(health.handlers(), server_limits=Limits(max_concurrent_calls=slots))
    now = line.clock.seconds()
    deadlines = [None, now + 0.3, now + 0.9, now + 5.0]
    names = ["wait", "wait", "wait", ""]
    asked = [
        begin(stub(line.client).check(ask(name), Context(deadline=by)))
        for name, by in zip(names, deadlines, strict=True)
    ]
    for step, which in steps:
        take(step, line, health, asked, which)
    health.release()
    line.move()
    line.cut("the end")
    health.release()
    for each in asked:  # a call ends once, or `begin` fails on a second result
        try:
            assert each.result() == SERVING
        except RpcError as error:
            assert error.status in {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED}  # noqa: PT017
        except BaseException as error:
            assert type(error).__name__ == "CancelledError"  # noqa: PT017
    assert line.client.in_flight == line.server.in_flight == 0
    assert not line.server._calls.busy
    assert not line.clock.timers
