"""Servers and clients of every glue over real sockets: TCP, Unix sockets, TLS, Twisted's endpoint strings."""

from __future__ import annotations

import os
import socket
import ssl
from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThread

from recmesh.rpc import Status, aio, tx
from recmesh.rpc.server import ConnectionLimits
from recmesh.rpc.tls import Tls
from recmesh.rpc.tls.files import Identity
from recmesh.testing import frames_of
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.certificates import Authority
from tests.rpc.glues import Glued, members
from tests.rpc.kit import SERVING, Health, ask, failure_of, reactor, stub, until

LARGE = "x" * 3_000_000  # larger than any socket's buffer


async def several(endpoint: Any) -> list[Any]:
    """Answers to small calls and a large one."""
    check = stub(endpoint).check
    return [await check(ask(name)) for name in ("", LARGE, "a")]


async def _until_changed(health: Health, endpoint: Any) -> None:
    """Calls, one after another, until the third connection carries them."""
    while len({context.peer for context in health.contexts}) < 3:
        assert await stub(endpoint).check(ask()) == SERVING


class EveryGlueTests(Glued):
    async def each_with_each(self, address: str, server: Any = None, client: Any = None) -> list[Health]:
        healths = []
        for number, serve in enumerate((self.serve_at, self.serve_under_asyncio)):
            health = Health()
            bound = await serve(address.format(number), health, tls=server)
            for run in (self.with_twisted, self.with_asyncio, self.with_a_thread):
                assert await run(bound, several, tls=client) == [SERVING] * 3
            assert health.asked == ["", LARGE, "a"] * 3
            healths.append(health)
        return healths

    async def test_over_tcp(self) -> None:
        for health in await self.each_with_each("127.0.0.1:0"):
            assert {context.peer.rpartition(":")[0] for context in health.contexts} == {"127.0.0.1"}

    async def test_over_a_unix_socket(self) -> None:
        for health in await self.each_with_each(f"unix:{self.folder}/socket-{{}}"):
            assert {context.peer for context in health.contexts} == {"unix:"}

    async def test_over_mutual_tls(self) -> None:
        for health in await self.each_with_each("127.0.0.1:0", *members(self.folder)):
            assert {context.principal for context in health.contexts} == {"spiffe://mesh/gateway"}

    async def test_over_tls_where_only_the_server_has_a_certificate(self) -> None:
        authority = Authority(self.folder)
        server = Tls(*authority.issue("web", hosts=["127.0.0.1"]))
        for health in await self.each_with_each("127.0.0.1:0", server, Tls(authorities=authority.file)):
            assert {context.principal for context in health.contexts} == {""}

    async def test_over_tls_1_2(self) -> None:
        """The oldest that is spoken, whose handshake ends at the other end."""
        server, client = members(self.folder)
        identities = Identity(server, server=True), Identity(client, server=False)
        for each in identities:
            each.context().maximum_version = ssl.TLSVersion.TLSv1_2
        await self.each_with_each("127.0.0.1:0", *identities)

    async def test_an_old_connection_is_changed_under_load_and_no_call_lost(self) -> None:
        short = ConnectionLimits(max_age=0.05, age_grace=5.0)

        for serve in (self.serve_at, self.serve_under_asyncio):
            for run in (self.with_twisted, self.with_asyncio, self.with_a_thread):
                health = Health()
                address = await serve("127.0.0.1:0", health, connections=short)
                await run(address, partial(_until_changed, health))


class UnixTests(Glued):
    @property
    def address(self) -> str:
        return f"unix:{self.folder}/socket"

    async def test_the_file_is_gone_with_its_server(self) -> None:
        server = await tx.listen(reactor, self.address, Health().handlers())
        assert server.address == self.address and os.path.exists(f"{self.folder}/socket")
        await server.close()
        assert not os.path.exists(f"{self.folder}/socket")

    async def test_a_file_left_over_is_replaced_and_a_live_one_refused(self) -> None:
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(f"{self.folder}/socket")
        await self.serve_under_asyncio(self.address, Health())
        with pytest.raises(CannotListenError, match="Address already in use"):
            await tx.listen(reactor, self.address, Health().handlers())
        assert await self.with_twisted(self.address, several) == [SERVING] * 3

    async def test_a_server_closes_though_somebody_has_removed_its_file(self) -> None:
        server = await tx.listen(reactor, self.address, Health().handlers())
        os.unlink(f"{self.folder}/socket")
        await server.close()

    async def test_nobody_listens(self) -> None:
        for run in (self.with_twisted, self.with_asyncio):
            error = await run(self.address, lambda endpoint: failure_of(stub(endpoint).check(ask())))
            assert error.status == Status.UNAVAILABLE and f"{self.address} cannot be reached" in error.message

    async def test_without_peers_no_certificate_could_be_checked(self) -> None:
        _, client = members(self.folder)
        with pytest.raises(ValueError, match="names no host to check a certificate against; give Tls its `peers`"):
            tx.Endpoint(reactor, self.address, tls=client)

    async def test_tls_with_an_expected_id(self) -> None:
        authority, health = Authority(self.folder), Health()
        address = await self.serve_at(self.address, health, tls=authority.member("ranking"))
        client = authority.member("gateway", peers=("spiffe://mesh/ranking",))
        for run in (self.with_twisted, self.with_asyncio):
            assert await run(address, several, tls=client) == [SERVING] * 3


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # Twisted does
class TwistedStringTests(Glued):
    async def test_tcp(self) -> None:
        address = await self.serve_at("tcp:0:interface=127.0.0.1", Health())
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        assert await self.with_twisted(f"tcp:host={host}:port={port}", several) == [SERVING] * 3

    async def test_with_tls_of_twisted(self) -> None:
        """Whose transport has buffers of its own, and says when they are full."""
        authority = Authority(self.folder)
        certificate, key = authority.issue("web", hosts=["localhost"])
        server = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        address = await self.serve_at(server, Health())
        port = address.rpartition(":")[2]
        (self.folder / "roots").mkdir()
        os.replace(authority.file, self.folder / "roots" / "authority.pem")
        client = f"tls:localhost:{port}:trustRoots={self.folder}/roots:endpoint=tcp\\:127.0.0.1\\:{port}"
        assert await self.with_twisted(client, several) == [SERVING] * 3

    async def test_what_is_none_is_refused_with_the_remedy(self) -> None:
        for address in ("nonsense", "tcp:", "tcp:host=a:port=b", "::1:7000", "nothing:like:this"):
            with pytest.raises(ValueError, match=r"is no address: .*write host:port"):
                tx.Endpoint(reactor, address)
            with pytest.raises(ValueError, match=r"is no address: .*write host:port"):
                await tx.listen(reactor, address, Health().handlers())
            with pytest.raises(ValueError, match="is no address; write host:port"):
                aio.Endpoint(address)

    async def test_tls_twice_is_refused(self) -> None:
        _, client = members(self.folder)
        with pytest.raises(ValueError, match="has TLS of its own"):
            tx.Endpoint(reactor, "tls:localhost:7000", tls=client)


class PlaintextTests(Glued):
    """At a port that requires TLS."""

    async def said_to(self, data: bytes) -> bytes:
        server, _ = members(self.folder)
        address = await self.serve_at("127.0.0.1:0", Health(), tls=server)

        def speak() -> bytes:
            host, _, port = address.rpartition(":")
            with socket.create_connection((host, int(port)), 10) as sock:
                sock.sendall(data)
                with sock.makefile("rb") as stream:
                    return stream.read()

        return await deferToThread(speak)

    async def test_a_web_browser_reads_what_is_wrong(self) -> None:
        answer = await self.said_to(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"requires TLS" in answer

    async def test_a_peer_of_this_protocol_reads_what_is_wrong(self) -> None:
        answer = await self.said_to(b"\x89")
        kind, _, _, meta, _ = frames_of(answer)[-1]
        goaway = wire.GoAway.FromString(meta)
        assert (kind, goaway.code, goaway.reason) == (8, Status.FAILED_PRECONDITION, "this port requires TLS")

    async def test_another_protocol_is_closed_without_a_word(self) -> None:
        assert await self.said_to(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == b""

    async def test_noise_after_the_first_byte_of_tls_gets_an_alert(self) -> None:
        assert (await self.said_to(b"\x16\x03\x01\x00\x05hello")).startswith(b"\x15\x03")


class TlsTests(Glued):
    async def test_a_call_in_flight_lives_through_new_certificates(self) -> None:
        authority, health = Authority(self.folder), Health()
        client = authority.member("gateway")
        server = await tx.listen(reactor, "127.0.0.1:0", health.handlers(), tls=authority.member("ranking"))
        endpoint = tx.Endpoint(reactor, server.address, tls=client)
        slow = Deferred.fromCoroutine(stub(endpoint).check(ask("wait")))
        await until(lambda: health.waiting)
        authority.member("ranking")
        assert server._identity is not None
        server._identity._looked -= 2  # as if so many seconds had gone by
        assert await self.with_twisted(server.address, several, tls=client) == [SERVING] * 3
        health.release()
        assert await slow == SERVING
        await endpoint.close()
        await server.close()

    async def test_a_client_without_a_certificate_hears_of_it(self) -> None:
        server, client = members(self.folder)
        address = await self.serve_at("127.0.0.1:0", Health(), tls=server)
        for run in (self.with_twisted, self.with_asyncio):
            error = await run(
                address,
                lambda endpoint: failure_of(stub(endpoint).check(ask())),
                tls=Tls(authorities=client.authorities),
            )
            assert error.status == Status.UNAVAILABLE and "certificate required" in error.message

    async def test_a_client_that_reads_late_gets_everything(self) -> None:
        async def answer_at_length(call: Any, service: Any) -> Any:
            reply = type(await service(call))()
            reply.MergeFromString(b"\x7a" + b"\x80\x80\x40" + bytes(1 << 20))  # an unknown field of 1 MiB
            return reply

        server, client = members(self.folder)
        health = Health()
        address = await self.serve_at("127.0.0.1:0", health, filters=[answer_at_length], tls=server)
        endpoint = tx.Endpoint(reactor, address, tls=client)
        await stub(endpoint).check(ask())
        transport: Any = endpoint._current._transport._transport  # type: ignore[union-attr]
        transport.pauseProducing()
        asked = Deferred.fromCoroutine(tx.Clock(reactor).settled(*(stub(endpoint).check(ask()) for _ in range(20))))
        await until(lambda: len(health.asked) == 21)
        transport.resumeProducing()
        assert {type(each) for each in await asked} == {type(SERVING)}
        await endpoint.close()
