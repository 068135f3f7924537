"""asyncio clients over real sockets, in a thread of their own, against a Twisted server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from recmesh.rpc import Context, Processed, Status
from recmesh.rpc.aio import Clock, Endpoint
from recmesh.rpc.frames import Limits
from recmesh.rpc.tx import Server
from tests.rpc.kit import SERVING, Health, Loopback, ask, failure_of, reactor, stub, until


class OverAsyncio(Loopback):
    async def under_asyncio(self, server: Server, work: Callable[[Endpoint], Coroutine[Any, Any, Any]]) -> Any:
        """The result of `work` with an endpoint of the server, in a loop in which nothing is left behind."""

        async def main() -> Any:
            problems: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
            endpoint = Endpoint(server.address, node_id="aio")
            result = await work(endpoint)
            await endpoint.close()
            await asyncio.sleep(0)
            assert not problems, problems
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        return await deferToThread(lambda: asyncio.run(main()))

    async def test_a_call(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            answer = await stub(endpoint).check(ask())
            return answer, endpoint.state, endpoint.peer.node_id if endpoint.peer else None

        server = await self.serve(Health(), node_id="server")
        assert await self.under_asyncio(server, work) == (SERVING, "ready", "server")

    async def test_many_calls_at_once(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            return await asyncio.gather(*(stub(endpoint).check(ask(str(n))) for n in range(500)))

        assert await self.under_asyncio(await self.serve(Health()), work) == [SERVING] * 500

    async def test_large_messages(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            return await asyncio.gather(*(stub(endpoint).check(ask("x" * 3_000_000)) for _ in range(8)))

        assert await self.under_asyncio(await self.serve(Health(), limits=Limits(crc=True)), work) == [SERVING] * 8

    async def test_a_deadline(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            return await failure_of(stub(endpoint).check(ask("wait"), Context(deadline=Clock().seconds() + 0.05)))

        health = Health()
        error = await self.under_asyncio(await self.serve(health), work)
        assert error.status == Status.DEADLINE_EXCEEDED

    async def test_a_cancelled_task_cancels_the_handler(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            task = asyncio.ensure_future(stub(endpoint).check(ask("wait")))
            await stub(endpoint).check(ask())
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled(), endpoint.in_flight

        health = Health()
        assert await self.under_asyncio(await self.serve(health), work) == (True, 0)
        await until(lambda: health.cancelled == 1)

    async def test_a_task_cancelled_as_its_answer_comes(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            for _ in range(50):
                task = asyncio.ensure_future(stub(endpoint).check(ask()))
                await stub(endpoint).check(ask())
                task.cancel()
                await asyncio.wait([task])
            return endpoint.in_flight

        assert await self.under_asyncio(await self.serve(Health()), work) == 0

    async def test_nobody_listens(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            first, second = [await failure_of(stub(endpoint).check(ask())) for _ in range(2)]
            return first.processed, second.processed, endpoint.state

        server = await self.serve(Health())
        await server.close()
        expected = (Processed.NOT_SENT, Processed.NOT_SENT, "backing off")
        assert await self.under_asyncio(server, work) == expected

    async def test_closing_while_connecting_leaves_nothing(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            task = asyncio.ensure_future(failure_of(stub(endpoint).check(ask())))
            await asyncio.sleep(0)
            await endpoint.close()
            error = await task
            return error.status

        assert await self.under_asyncio(await self.serve(Health()), work) == Status.CANCELLED

    async def test_a_drained_server_answers_what_it_has_and_is_left(self) -> None:
        async def work(endpoint: Endpoint) -> Any:
            slow = asyncio.ensure_future(stub(endpoint).check(ask("wait")))
            while endpoint.state != "draining":
                await asyncio.sleep(0.001)
            reactor.callFromThread(health.release)
            return await slow

        health = Health()
        server = await self.serve(health)
        asked = Deferred.fromCoroutine(self.under_asyncio(server, work))
        await until(lambda: health.waiting)
        await server.drain(10.0)
        assert await asked == SERVING
