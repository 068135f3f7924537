"""Twisted over real sockets on loopback: calls, large messages, many at once, drain, bad clients, slow readers."""

from __future__ import annotations

import re
import socket
import struct
import time
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread

from recmesh.rpc import Context, Processed, RpcError, Status, frames
from recmesh.rpc import server as any_server
from recmesh.rpc.connection import base as connection
from recmesh.rpc.frames import HEADER, Limits
from recmesh.rpc.session import flow
from recmesh.rpc.tx import Clock, Endpoint, Server, listen, use_monotonic_clock
from recmesh.testing import call_frame, frames_of, greeting
from recmesh.v1 import health_pb2 as pb
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import PATH, SERVING, Health, Loopback, ask, failure_of, reactor, stub, until


class Raw(Protocol):
    """A client of bytes alone; `over` fires with all that came, when the server has closed."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.over: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: object = None) -> None:
        self.over.callback(bytes(self.received))


class OverTwisted(Loopback):
    def endpoint(self, server: Server, **options: Any) -> Endpoint:
        endpoint = Endpoint(reactor, server.address, **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(endpoint.close()))
        return endpoint

    async def raw(self, server: Server, data: bytes) -> Raw:
        port = int(server.address.rpartition(":")[2])
        raw: Raw = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Raw())
        if data:
            raw.transport.write(data)  # type: ignore[union-attr]
        return raw


class CallTests(OverTwisted):
    async def test_a_call_and_its_peers(self) -> None:
        health = Health()
        server = await self.serve(health, node_id="server")
        endpoint = self.endpoint(server, node_id="client")
        assert await stub(endpoint).check(ask()) == SERVING
        assert (endpoint.state, server.connections, server.in_flight) == ("ready", 1, 0)
        assert endpoint.peer is not None
        assert endpoint.peer.node_id == "server"
        assert re.search(r"^127\.0\.0\.1:\d+$", health.contexts[0].peer)

    async def test_many_calls_at_once_are_each_answered_once(self) -> None:
        server = await self.serve(Health())
        check = stub(self.endpoint(server)).check
        answers = await Clock(reactor).settled(*(check(ask(str(n))) for n in range(1_000)))
        assert answers == [SERVING] * 1000

    async def test_messages_larger_than_any_socket_buffer_arrive(self) -> None:
        health = Health()
        server = await self.serve(health)
        check = stub(self.endpoint(server)).check
        names = [chr(97 + n) * 3_000_000 for n in range(8)]
        assert await Clock(reactor).settled(*(check(ask(name)) for name in names)) == [SERVING] * 8
        assert sorted(health.asked) == names

    async def test_a_call_over_the_limit_is_refused_before_it_is_sent(self) -> None:
        endpoint = self.endpoint(await self.serve(Health()))
        error = await failure_of(stub(endpoint).check(ask("x" * (5 << 20))))
        assert (error.status, error.processed) == (Status.RESOURCE_EXHAUSTED, Processed.NOT_SENT)
        assert await stub(endpoint).check(ask()) == SERVING

    async def test_a_deadline_is_kept(self) -> None:
        health = Health()
        server = await self.serve(health)
        context = Context(deadline=reactor.seconds() + 0.05)
        error = await failure_of(stub(self.endpoint(server)).check(ask("wait"), context))
        assert error.status == Status.DEADLINE_EXCEEDED

    async def test_crc_when_both_ends_want_it(self) -> None:
        server = await self.serve(Health(), limits=Limits(crc=True))
        endpoint = self.endpoint(server, limits=Limits(crc=True))
        for _ in range(2):
            assert await stub(endpoint).check(ask()) == SERVING

    async def test_an_address_with_a_name_is_looked_up(self) -> None:
        server = await self.serve(Health())
        endpoint = Endpoint(reactor, "localhost:" + server.address.rpartition(":")[2])
        assert await stub(endpoint).check(ask()) == SERVING
        await endpoint.close()


class ListenTests(Loopback):
    async def test_a_taken_port_is_an_error(self) -> None:
        server = await self.serve(Health())
        with pytest.raises(CannotListenError, match=server.address.rpartition(":")[2]):
            await listen(reactor, server.address, Health().handlers())

    async def test_ipv6_where_the_machine_has_it(self) -> None:
        try:
            server = await listen(reactor, "[::1]:0", Health().handlers())
        except CannotListenError:
            return  # a machine without IPv6 says so clearly, which is all that can be asked here
        assert server.address.startswith("[::1]:")
        endpoint = Endpoint(reactor, server.address)
        assert await stub(endpoint).check(ask()) == SERVING
        await endpoint.close()
        await server.close()

    async def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        endpoint = Endpoint(reactor, f"127.0.0.1:{port}")
        error = await failure_of(stub(endpoint).check(ask()))
        assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
        assert f"127.0.0.1:{port} cannot be reached: " in error.message
        await endpoint.close()


class DrainTests(OverTwisted):
    async def test_a_drain_under_load_loses_no_call(self) -> None:
        """Two servers take turns; clients call the other when one says that it goes."""
        first, second = await self.serve(Health()), await self.serve(Health())
        endpoints = [self.endpoint(each) for each in (first, second)]
        answered, failed, drained = 0, list[RpcError](), False

        async def caller() -> None:
            nonlocal answered
            for n in range(200):
                for endpoint in endpoints:
                    try:
                        await stub(endpoint).check(ask())
                    except RpcError as error:
                        if error.processed not in {Processed.NOT_SENT, Processed.REFUSED}:
                            failed.append(error)
                        continue
                    answered += 1
                    break
                if n == 50 and not drained:
                    await drain()

        async def drain() -> None:
            nonlocal drained
            drained = True
            await first.drain(5.0)
            assert (first.connections, first.in_flight) == (0, 0)

        await Clock(reactor).settled(*(caller() for _ in range(16)))
        assert (answered, failed, drained) == (16 * 200, [], True)

    async def test_a_drain_waits_for_handlers_and_no_longer_than_its_grace(self) -> None:
        health = Health()
        server = await self.serve(health)
        check = stub(self.endpoint(server)).check
        asked = Deferred.fromCoroutine(Clock(reactor).settled(check(ask("wait"))))
        await check(ask())
        await server.drain(0.2)
        (error,) = await asked
        assert isinstance(error, RpcError)
        assert (error.status, error.message) == (Status.UNAVAILABLE, "the server has stopped")
        assert health.cancelled == 1

    async def test_a_drain_does_not_wait_for_a_handler_that_will_not_end(self) -> None:
        self.patch(any_server, "LAST_WORDS", 0.1)
        gate: Deferred[None] = Deferred()

        class Stubborn(Health):
            async def check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
                self.asked.append(request.service)
                try:
                    await Deferred()
                finally:
                    await gate
                return SERVING

        stubborn = Stubborn()
        server = await self.serve(stubborn)
        asked = Deferred.fromCoroutine(failure_of(stub(self.endpoint(server)).check(ask())))
        await until(lambda: stubborn.asked)
        await server.drain(0.05)
        assert (await asked).message == "the server has stopped" and server.in_flight == 1
        gate.callback(None)
        assert server.in_flight == 0

    async def test_closing_cuts_a_drain_short(self) -> None:
        health = Health()
        server = await self.serve(health)
        asked = Deferred.fromCoroutine(failure_of(stub(self.endpoint(server)).check(ask("wait"))))
        await until(lambda: health.waiting)
        draining = Deferred.fromCoroutine(server.drain(1_000.0))
        await server.close()
        await draining
        assert (await asked).status == Status.UNAVAILABLE

    async def test_new_clients_are_served_while_accepting_and_turned_away_after(self) -> None:
        server = await self.serve(Health())
        draining = Deferred.fromCoroutine(server.drain(1.0, accept_for=0.1))
        assert await stub(self.endpoint(server)).check(ask()) == SERVING
        await draining
        error = await failure_of(stub(self.endpoint(server)).check(ask()))
        assert error.processed == Processed.NOT_SENT

    async def test_a_client_finds_the_server_again_after_a_restart(self) -> None:
        first = await self.serve(Health())
        endpoint = self.endpoint(first)
        await stub(endpoint).check(ask())
        await first.close()
        again = await listen(reactor, first.address, Health().handlers())
        self.addCleanup(lambda: Deferred.fromCoroutine(again.close()))
        await until(lambda: endpoint.state == "ready")
        assert await stub(endpoint).check(ask()) == SERVING


class BadClientTests(OverTwisted):
    """The connection ends with a reason; others go on."""

    async def expectGoaway(self, data: bytes, reason: str) -> None:
        health = Health()
        server = await self.serve(health)
        good = stub(self.endpoint(server))
        await good.check(ask())
        raw = await self.raw(server, data)
        kind, _, _, meta, _ = frames_of(await raw.over)[-1]
        assert kind == 8
        assert reason in wire.GoAway.FromString(meta).reason
        assert await good.check(ask()) == SERVING
        assert server.connections == 1

    async def test_wrong_magic(self) -> None:
        await self.expectGoaway(b"\x89PNG\r\n\x1a\n" + bytes(100), "not the preface of this protocol")

    async def test_an_oversize_frame(self) -> None:
        header = HEADER.pack(2 << 20, 2, 1, 0, 1, 0)
        await self.expectGoaway(greeting() + header + bytes(200_000), "a frame of 2097152 bytes is over the limit")

    async def test_a_frame_with_impossible_lengths(self) -> None:
        await self.expectGoaway(
            greeting() + HEADER.pack(1, 2, 1, 2, 1, 0) + b"x", "metadata of 2 bytes in a frame of 1"
        )

    async def test_a_truncated_frame(self) -> None:
        """A client that goes away in the middle of one harms nobody."""
        server = await self.serve(Health())
        raw = await self.raw(server, greeting() + call_frame(1, PATH, bytes(1_000))[:-1])
        await until(lambda: server.connections)
        raw.transport.loseConnection()  # type: ignore[union-attr]
        await raw.over
        assert await stub(self.endpoint(server)).check(ask()) == SERVING
        assert (server.connections, server.in_flight) == (1, 0)

    async def test_a_client_that_sends_nothing_is_closed(self) -> None:
        self.patch(connection, "HANDSHAKE_TIMEOUT", 0.05)
        server = await self.serve(Health())
        raw = await self.raw(server, b"")
        assert await raw.over == b""
        assert server.connections == 0

    async def test_a_web_browser_reads_what_is_wrong(self) -> None:
        server = await self.serve(Health())
        raw = await self.raw(server, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await raw.over).startswith(b"HTTP/1.1 426 Upgrade Required\r\n")

    async def test_a_reset_cancels_the_handlers_of_that_client(self) -> None:
        health = Health()
        server = await self.serve(health)
        raw = await self.raw(server, greeting() + call_frame(1, PATH, ask("wait").SerializeToString()))
        await until(lambda: health.waiting)
        raw.transport.abortConnection()  # type: ignore[union-attr]
        await raw.over
        await until(lambda: not server.connections)
        assert (health.cancelled, server.in_flight) == (1, 0)


class SlowReaderTests(OverTwisted):
    async def test_a_client_that_does_not_read_fills_no_memory_and_disturbs_nobody(self) -> None:
        self.patch(flow, "MOST_HELD", 8 << 20)

        class Large(Health):
            async def check(self, request: pb.HealthCheckRequest, context: Context) -> Any:
                await super().check(request, context)
                reply = pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVING)
                reply.MergeFromString(b"\x7a" + b"\x80\x80\x40" + bytes(1 << 20))  # an unknown field of 1 MiB
                return reply

        health = Large()
        server = await self.serve(health)
        good = stub(self.endpoint(server))
        calls = b"".join(call_frame(call_id, PATH) for call_id in range(1, 200, 2))
        endless = {"call_window": 2**31 - 1, "connection_window": 2**31 - 1}
        raw = await self.raw(server, greeting(max_frame=1 << 20, max_message=4 << 20, **endless) + calls)
        raw.transport.pauseProducing()  # type: ignore[union-attr]
        await until(lambda: len(health.asked) == 100)
        assert await good.check(ask())
        raw.transport.resumeProducing()  # type: ignore[union-attr]
        await until(
            lambda: len([frame for frame in frames_of(bytes(raw.received)) if frame[0] == frames.STATUS]) == 100
        )
        codes = [wire.CallStatus.FromString(f[3]).code for f in frames_of(bytes(raw.received)) if f[0] == frames.STATUS]
        assert set(codes) == {Status.OK, Status.RESOURCE_EXHAUSTED} and codes.count(Status.OK) < 20

    async def test_a_slow_reader_that_reads_gets_everything(self) -> None:
        health = Health()
        server = await self.serve(health)

        def read_slowly() -> int:
            host, port = server.address.split(":")
            with socket.create_connection((host, int(port))) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                sock.sendall(greeting() + b"".join(call_frame(call_id, PATH) for call_id in range(1, 2_000, 2)))
                answered = 0
                stream = sock.makefile("rb")
                while answered < 1_000:
                    size, kind = struct.unpack(">IB11x", stream.read(16))
                    stream.read(size)
                    answered += kind == 4
                return answered

        assert await deferToThread(read_slowly) == 1000


def test_the_time_of_a_reactor_can_be_made_monotonic() -> None:
    clock = task.Clock()
    use_monotonic_clock(clock)
    assert clock.seconds is time.monotonic
