"""Channel and Stream over a service in the same process: what a reader sees of a call, and what the call sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from google.protobuf.wrappers_pb2 import Int32Value as Reply
from google.protobuf.wrappers_pb2 import StringValue as Request
from twisted.internet.defer import CancelledError, Deferred

from recmesh.rpc import Call, Channel, Context, Handlers, Kind, Method, RpcError, Service, Status, stack
from recmesh.testing import begin

COUNT = Method("/test.Test/Count", Request, Reply, kind=Kind.SERVER_STREAM)
JOIN = Method("/test.Test/Join", Request, Reply, kind=Kind.CLIENT_STREAM)
ECHO = Method("/test.Test/Echo", Request, Reply, kind=Kind.BIDI)


class Counter:
    """Answers with 1, 2, 3; stops before a number that `pauses` holds a Deferred for."""

    def __init__(self) -> None:
        self.pauses: dict[int, Deferred[None]] = {}
        self.sent: list[int] = []
        self.left = False

    async def count(self, request: Request, context: Context) -> AsyncIterator[Reply]:
        try:
            for each in range(1, 4):
                if each in self.pauses:
                    await self.pauses[each]
                self.sent.append(each)
                yield Reply(value=each)
        finally:
            self.left = True


def over(counter: Counter) -> Channel:
    handlers = Handlers()
    handlers.add(COUNT, counter.count)
    return Channel(handlers)


async def collect(channel: Channel) -> list[int]:
    return [each.value async for each in channel.server_stream(COUNT, Request())]


def test_a_stream_gives_every_reply_in_order() -> None:
    assert begin(collect(over(Counter()))).result() == [1, 2, 3]


def test_a_reader_pulls_and_the_service_waits_for_it() -> None:
    counter = Counter()
    stream = over(counter).server_stream(COUNT, Request())
    assert counter.sent == []
    assert begin(anext(stream)).result().value == 1
    assert counter.sent == [1]


def test_what_the_service_awaits_is_awaited_by_the_loop_of_the_reader() -> None:
    counter = Counter()
    counter.pauses[2] = Deferred()
    reading = begin(collect(over(counter)))
    assert not reading.done
    counter.pauses[2].callback(None)
    assert reading.result() == [1, 2, 3]


def test_a_reader_that_is_cancelled_cancels_the_call() -> None:
    counter = Counter()
    counter.pauses[2] = Deferred()
    reading = begin(collect(over(counter)))
    reading.cancel()
    with pytest.raises(CancelledError):
        reading.result()
    assert counter.left


def test_leaving_a_stream_ends_the_call() -> None:
    counter = Counter()

    async def first() -> int:
        async with over(counter).server_stream(COUNT, Request()) as stream:
            return (await anext(stream)).value

    assert begin(first()).result() == 1
    assert counter.left


def test_a_stream_that_has_ended_stays_ended() -> None:
    async def twice() -> list[list[int]]:
        stream = over(Counter()).server_stream(COUNT, Request())
        return [[each.value async for each in stream] for _ in range(2)]

    assert begin(twice()).result() == [[1, 2, 3], []]


def test_a_failure_is_raised_after_the_replies_before_it() -> None:
    async def fail(request: Request, context: Context) -> AsyncIterator[Reply]:
        yield Reply(value=1)
        raise RpcError(Status.ABORTED, "enough")

    handlers = Handlers()
    handlers.add(COUNT, fail)
    seen = list[int]()

    async def read() -> None:
        async for each in Channel(handlers).server_stream(COUNT, Request()):
            seen.append(each.value)

    with pytest.raises(RpcError, match="enough"):
        begin(read()).result()
    assert seen == [1]


def test_a_filter_sees_a_stream_begin_and_end() -> None:
    events = list[str]()

    async def note(call: Call, service: Service) -> Reply:
        events.append("begin")
        try:
            return await service(call)  # type: ignore[return-value]
        finally:
            events.append("end")

    handlers = Handlers()
    handlers.add(COUNT, Counter().count)
    channel = Channel(stack(note, to=handlers))

    async def read() -> None:
        async for each in channel.server_stream(COUNT, Request()):
            events.append(str(each.value))

    begin(read()).result()
    assert events == ["begin", "1", "2", "3", "end"]


def test_many_requests_come_from_any_iterable() -> None:
    async def join(requests: AsyncIterator[Request], context: Context) -> Reply:
        return Reply(value=sum([len(each.value) async for each in requests]))

    async def later() -> AsyncIterator[Request]:
        yield Request(value="a")
        yield Request(value="bb")

    handlers = Handlers()
    handlers.add(JOIN, join)
    channel = Channel(handlers)
    assert begin(channel.client_stream(JOIN, [Request(value="a")])).result().value == 1
    assert begin(channel.client_stream(JOIN, later())).result().value == 3


def test_requests_and_replies_take_turns() -> None:
    async def echo(requests: AsyncIterator[Request], context: Context) -> AsyncIterator[Reply]:
        async for each in requests:
            yield Reply(value=len(each.value))

    handlers = Handlers()
    handlers.add(ECHO, echo)

    async def read() -> list[int]:
        asked = (Request(value="x" * size) for size in range(3))
        return [each.value async for each in Channel(handlers).bidi(ECHO, asked)]

    assert begin(read()).result() == [0, 1, 2]
