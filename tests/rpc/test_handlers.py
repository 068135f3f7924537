"""Handlers that go wrong end their own call, with an answer, and no other call of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import UninterpretedOption
from google.protobuf.wrappers_pb2 import StringValue
from twisted.internet.defer import Deferred

from recmesh.rpc import Channel, Context, Handlers, Method, RpcError, Status
from recmesh.testing import Wire, begin

GO_WRONG = Method("/test.Test/GoWrong", StringValue, StringValue)
INCOMPLETE = Method("/test.Test/Incomplete", StringValue, UninterpretedOption.NamePart)
WAIT = Method("/test.Test/Wait", StringValue, StringValue)


def fail(error: BaseException) -> Callable[[Context], None]:
    def failing(context: Context) -> None:
        raise error

    return failing


def say(key: Any, value: Any) -> Callable[[Context], None]:
    def saying(context: Context) -> None:
        assert context.trailers is not None
        context.trailers[key] = value

    return saying


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        fail(asyncio.CancelledError()),
        fail(SystemExit(1)),
        fail(RpcError(Status.ABORTED, "no", metadata={"a": 5})),  # type: ignore[dict-item]
        fail(RpcError(Status.ABORTED, "no", metadata={"a": "\ud800"})),
        fail(RpcError(Status.ABORTED, "no", details=("a",))),
        fail(RpcError(Status.ABORTED, "no", pushback_ms=2**40)),
        say("a", 5),
        say(5, "a"),
        say("a", "\ud800"),
    ],
)
def test_a_handler_that_goes_wrong_ends_its_own_call(
    wrong: Callable[[Context], None], late: bool, caplog: pytest.LogCaptureFixture
) -> None:
    waiting: list[Deferred[None]] = []

    async def wait(request: StringValue, context: Context) -> StringValue:
        waiting.append(Deferred())
        await waiting[-1]
        return request

    async def go_wrong(request: StringValue, context: Context) -> StringValue:
        if late:
            await wait(request, context)
        wrong(context)
        return request

    handlers = Handlers()
    handlers.add(GO_WRONG, go_wrong)
    handlers.add(WAIT, wait)
    line = Wire(handlers)
    channel = Channel(line.client)
    other, asked = begin(channel.call(WAIT, StringValue())), begin(channel.call(GO_WRONG, StringValue()))
    line.move()
    for each in reversed(waiting):
        each.callback(None)
    line.move()
    with pytest.raises(RpcError) as caught:
        asked.result()
    assert (caught.value.status, caught.value.message) == (Status.UNKNOWN, "the handler failed")
    assert "Traceback" in caplog.text
    assert (other.result(), line.server.in_flight, line.end) == (StringValue(), 0, "")


def test_the_message_of_an_error_may_be_another_error() -> None:
    async def go_wrong(request: StringValue, context: Context) -> StringValue:
        raise RpcError(Status.ABORTED, KeyError("no"))  # type: ignore[arg-type]

    handlers = Handlers()
    handlers.add(GO_WRONG, go_wrong)
    line = Wire(handlers)
    asked = begin(Channel(line.client).call(GO_WRONG, StringValue()))
    line.move()
    with pytest.raises(RpcError, match="ABORTED: 'no'"):
        asked.result()


def test_a_reply_without_a_required_field_fails_its_own_call(caplog: pytest.LogCaptureFixture) -> None:
    async def incomplete(request: StringValue, context: Context) -> UninterpretedOption.NamePart:
        return UninterpretedOption.NamePart()

    handlers = Handlers()
    handlers.add(INCOMPLETE, incomplete)
    line = Wire(handlers)
    asked = begin(Channel(line.client).call(INCOMPLETE, StringValue()))
    line.move()
    with pytest.raises(RpcError, match="UNKNOWN: the handler failed"):
        asked.result()
    assert "is_extension" in caplog.text and line.end == ""
