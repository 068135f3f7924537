"""What asyncio asks of code that runs in its tasks, and what may be cancelled there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from recmesh.rpc import Channel, Context, Handlers, Kind, Method, RpcError, aio

SAY = Method("/test.Test/Say", StringValue, StringValue)
JOIN = Method("/test.Test/Join", StringValue, StringValue, kind=Kind.CLIENT_STREAM)


async def join(requests: AsyncIterator[StringValue], context: Context) -> StringValue:
    return StringValue(value="".join([each.value async for each in requests]))


async def later() -> StringValue:
    await asyncio.sleep(0)
    return StringValue(value="later")


async def within_a_timeout(request: StringValue, context: Context) -> StringValue:
    async with asyncio.timeout(10):
        return await later()


async def within_the_clock(request: StringValue, context: Context) -> StringValue:
    return await aio.Clock().within(10, later())


async def in_a_group(request: StringValue, context: Context) -> StringValue:
    async with asyncio.TaskGroup() as group:
        work = group.create_task(later())
    return work.result()


def run(work: Callable[[Channel], Coroutine[Any, Any, Any]], say: Callable[..., Awaitable[StringValue]]) -> Any:
    async def main() -> Any:
        handlers = Handlers()
        handlers.add(SAY, say)
        handlers.add(JOIN, join)
        server = await aio.listen("127.0.0.1:0", handlers)
        endpoint = aio.Endpoint(server.address)
        try:
            return await work(Channel(endpoint))
        finally:
            await endpoint.close()
            await server.close()

    return asyncio.run(main())


@pytest.mark.parametrize("handler", [within_a_timeout, within_the_clock, in_a_group])
def test_a_handler_runs_in_a_task_from_its_first_step(handler: Callable[..., Awaitable[StringValue]]) -> None:
    assert run(lambda channel: channel.call(SAY, StringValue()), handler).value == "later"


def test_requests_that_are_cancelled_end_their_call() -> None:
    async def requests() -> AsyncIterator[StringValue]:
        yield StringValue(value="a")
        cancelled = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        await cancelled

    async def work(channel: Channel) -> None:
        with pytest.raises(asyncio.CancelledError):
            await channel.client_stream(JOIN, requests())
        assert (await channel.client_stream(JOIN, [StringValue(value="b")])).value == "b"

    run(work, within_a_timeout)


@pytest.mark.parametrize("address", ["a..b:80", ".a:80", f"{'x' * 64}.com:80"])
def test_a_name_that_no_host_can_have_fails_its_calls(address: str) -> None:
    async def main() -> None:
        endpoint = aio.Endpoint(address)
        with pytest.raises(RpcError, match=r"UNAVAILABLE: .* cannot be reached: .*label"):
            await Channel(endpoint).call(SAY, StringValue())
        await endpoint.close()

    asyncio.run(main())
