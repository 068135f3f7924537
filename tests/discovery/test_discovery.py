"""Discovery over real sockets: a name server, an API server; and files. Trial checks that no socket is left."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.names import client, dns, server
from twisted.names.common import ResolverBase
from twisted.names.error import DNSNameError
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from recmesh.discovery.api_server import ApiServer, Cluster, in_cluster
from recmesh.discovery.file import Watched
from recmesh.discovery.names import Names
from recmesh.discovery.sources import Discovery
from recmesh.mesh.endpoint_file import LARGEST
from recmesh.mesh.known import LookError
from recmesh.mesh.kubernetes import GoneError, Json
from recmesh.ops.registry import Registry
from recmesh.ops.settings import SettingsError
from recmesh.testing import FakeClock, begin
from tests.mesh.kit import Log
from tests.mesh.test_kubernetes import listed, piece, pod
from tests.rpc.certificates import Authority
from tests.rpc.kit import reactor, until


async def refused(work: Coroutine[Any, Any, Any]) -> LookError:
    with pytest.raises(LookError) as caught:
        await work
    return caught.value


# A name server.


class Zone(ResolverBase):
    """What the name server knows."""

    def __init__(self, answers: dict[str, Sequence[dns.Record_SRV] | Exception]) -> None:
        super().__init__()
        self._answers = answers

    def _lookup(self, name: bytes, cls: int, kind: int, timeout: Any) -> Deferred[Any]:
        found = self._answers.get(name.decode(), DNSNameError())
        done: Deferred[Any] = Deferred()
        if isinstance(found, Exception):
            done.errback(found)
        else:
            done.callback(([dns.RRHeader(name, dns.SRV, payload=each) for each in found], [], []))
        return done


class DnsTests(TestCase):
    """Names, against a name server on loopback."""

    timeout = 5

    def names(self, **answers: Sequence[dns.Record_SRV] | Exception) -> Names:
        zone = Zone({f"_wire._tcp.{name}": answer for name, answer in answers.items()})
        protocol = dns.DNSDatagramProtocol(server.DNSServerFactory(clients=[zone]), reactor=reactor)
        port = reactor.listenUDP(0, protocol, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        asking = client.Resolver(servers=[("127.0.0.1", port.getHost().port)], reactor=reactor)
        self.addCleanup(lambda: [each.transport.stopListening() for each in _sockets(asking)])
        return Names(reactor, asking.lookupService)

    async def test_srv_records_become_endpoints(self) -> None:
        names = self.names(embedding=[dns.Record_SRV(0, 1, 7100, b"e-1.mesh"), dns.Record_SRV(0, 1, 7100, b"e-0.mesh")])
        found = await names.records("_wire._tcp.embedding")
        assert [each.address for each in found] == ["e-0.mesh:7100", "e-1.mesh:7100"]

    async def test_a_name_that_is_none_is_an_empty_answer_and_a_server_in_trouble_is_a_failure(self) -> None:
        names = self.names(broken=RuntimeError())
        assert await names.records("_wire._tcp.nobody") == []
        assert "_wire._tcp.broken" in str(await refused(names.records("_wire._tcp.broken")))

        self.flushLoggedErrors(RuntimeError)

    async def test_addresses_come_from_the_system(self) -> None:
        found = await Names(reactor).addresses("127.0.0.1", 7100)
        assert [each.address for each in found] == ["127.0.0.1:7100"]

    async def test_a_name_without_an_address_is_an_empty_answer_and_other_errors_are_failures(self) -> None:
        def system(number: int) -> Callable[..., Any]:
            def getaddrinfo(*asked: Any) -> Any:
                raise socket.gaierror(number, "as the system says")

            return getaddrinfo

        assert await Names(reactor, None, system(socket.EAI_NONAME)).addresses("nobody", 1) == []
        error = await refused(Names(reactor, None, system(socket.EAI_AGAIN)).addresses("nobody", 1))
        assert str(error) == "nobody: as the system says"
        assert "label" in str(await refused(Names(reactor).addresses("x" * 64, 1)))


def _sockets(asking: Any) -> Sequence[Any]:
    return [each for each in getattr(asking, "protocols", ()) if getattr(each, "transport", None)]


# An API server.


class Slices(Resource):
    """Answers as scripted: a list, or the lines of a watch, after which it goes on or breaks off."""

    isLeaf = True  # noqa: N815  as Twisted calls it

    def __init__(self) -> None:
        super().__init__()
        self.code = 200
        self.body = b"{}"
        self.lines: list[bytes] = []
        self.watching: Request | None = None
        self.tokens: list[str | None] = []

    def render_GET(self, request: Request) -> Any:
        self.tokens.append(request.getHeader("authorization"))
        request.setResponseCode(self.code)
        if b"watch" not in (request.args or {}):
            return self.body
        self.watching = request
        request.notifyFinish().addErrback(lambda failure: None)
        for line in self.lines:
            request.write(line)
        return NOT_DONE_YET


class ApiTests(TestCase):
    """ApiServer, against an HTTP server on loopback."""

    timeout = 5

    def serve(self, certificate: str = "", key: str = "") -> Slices:
        self.slices = Slices()
        site = Site(self.slices)
        if certificate:
            port = reactor.listenSSL(0, site, DefaultOpenSSLContextFactory(key, certificate), interface="127.0.0.1")
        else:
            port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.address = f"127.0.0.1:{port.getHost().port}"
        self.addCleanup(port.stopListening)
        return self.slices

    def folder(self) -> Path:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def api(self, token: Path | None = None) -> ApiServer:
        return ApiServer(reactor, Cluster(f"http://{self.address}", token))

    async def test_a_list_is_asked_for_with_the_token_of_this_moment(self) -> None:
        slices = self.serve()
        slices.body = json.dumps(listed("5", piece("x", pod("e-0", "10.0.0.1")))).encode()
        token = self.folder() / "token"
        api = self.api(token)
        for text in ("first\n", "second\n"):
            token.write_text(text)
            assert (await api.get("/list"))["metadata"] == {"resourceVersion": "5"}
        assert slices.tokens == ["Bearer first", "Bearer second"]

    async def test_a_watch_tells_each_event_when_it_comes_and_ends_with_the_answer(self) -> None:
        slices = self.serve()
        event = json.dumps({"type": "ADDED", "object": piece("x")}).encode() + b"\n"
        slices.lines = [event[:10], event[10:] + event, b"\n"]
        told: list[Json] = []
        watching = Deferred.fromCoroutine(self.api().watch("/list?watch=1", told.append, 60.0))
        await until(lambda: len(told) == 2)
        assert slices.watching is not None and not watching.called
        slices.watching.write(event)
        await until(lambda: len(told) == 3)
        slices.watching.finish()
        await watching

    async def test_a_watch_that_nobody_ends_is_ended(self) -> None:
        slices = self.serve()
        error = await refused(self.api().watch("/list?watch=1", print, 0.05))
        assert "no answer within 0.05 s" in str(error)
        assert slices.watching is not None

    async def test_an_answer_that_breaks_off_or_is_no_json_is_a_failure(self) -> None:
        slices = self.serve()
        watching = Deferred.fromCoroutine(self.api().watch("/list?watch=1", print, 60.0))
        await until(lambda: slices.watching is not None)
        assert slices.watching is not None and slices.watching.channel is not None
        slices.watching.write(b"{")
        await deferLater(reactor, 0.01)
        slices.watching.channel.forceAbortClient()
        assert "broke off" in str(await refused(_awaited(watching)))
        slices.lines = [b"}\n"]
        assert "no JSON" in str(await refused(self.api().watch("/list?watch=1", print, 60.0)))
        slices.body = b"<html>"
        assert "no JSON" in str(await refused(self.api().get("/list")))

    async def test_a_reader_that_raises_ends_the_watch_with_that(self) -> None:
        slices = self.serve()
        slices.lines = [b"{}\n"]

        def told(event: Json) -> None:
            raise GoneError("too old")

        assert str(await refused(self.api().watch("/list?watch=1", told, 60.0))) == "too old"
        with pytest.raises(KeyError):
            await self.api().watch("/list?watch=1", lambda event: event["type"], 60.0)

    async def test_a_server_must_be_signed_by_the_cluster_and_is_then_trusted(self) -> None:
        folder = self.folder()
        authority, other = Authority(folder), Authority(folder, "other")
        certificate, key = authority.issue("server", hosts=["127.0.0.1"])
        slices = self.serve(certificate, key)
        slices.body = b'{"items": []}'
        cluster = Cluster(f"https://{self.address}", None, Path(authority.file))
        assert await ApiServer(reactor, cluster).get("/list") == {"items": []}
        cluster = Cluster(f"https://{self.address}", None, Path(other.file))
        assert "certificate verify failed" in str(await refused(ApiServer(reactor, cluster).get("/list")))

    async def test_a_refusal_says_what_the_server_says(self) -> None:
        slices = self.serve()
        slices.code, slices.body = 403, json.dumps({"message": "endpointslices is forbidden"}).encode()
        error = await refused(self.api().get("/list"))
        assert str(error) == "the API server answers 403: endpointslices is forbidden"
        slices.code, slices.body = 410, b"gone"
        assert isinstance(await refused(self.api().get("/list")), GoneError)

    async def test_a_server_that_is_not_there_and_a_token_that_is_not_are_failures(self) -> None:
        self.serve()
        assert "No such file" in str(await refused(self.api(self.folder() / "token").get("/list")))
        self.address = "127.0.0.1:1"
        assert "127.0.0.1:1: " in str(await refused(self.api().get("/list")))


async def _awaited(work: Deferred[None]) -> None:
    await work


def test_a_pod_knows_its_cluster_and_others_are_told_what_to_do() -> None:
    found = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert found.url == "https://[fd00::1]:6443" and found.token is not None and found.authority is not None
    with pytest.raises(SettingsError, match="outside of a cluster write addresses, dns: or file:"):
        in_cluster({})


# Files.


def look(watched: Watched) -> Any:
    return begin(watched()).result()


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    path.write_text('endpoints = ["a:1"]')
    watched = Watched(str(path))
    assert [each.id for each in look(watched)] == ["a:1"]
    assert look(watched) is None
    path.write_text('endpoints = ["a:1", "b:1"]')
    assert [each.id for each in look(watched)] == ["a:1", "b:1"]
    other = tmp_path / "other"
    other.write_text('endpoints = ["c:1", "d:1"]')
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)  # of the same size and time, as a ConfigMap's may be
    assert [each.id for each in look(watched)] == ["c:1", "d:1"]


def test_a_bad_file_is_named_and_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    watched = Watched(str(path))
    for write in (lambda: None, lambda: path.write_text("endpoints = ["), lambda: path.write_bytes(b"\xff")):
        write()
        for _ in range(2):
            with pytest.raises(LookError, match=r"endpoints\.toml"):
                look(watched)
    path.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(LookError, match="over the most of"):
        look(watched)
    path.write_text('endpoints = ["a:1"]')
    assert [each.id for each in look(watched)] == ["a:1"]


# All together.


class Bench:
    """A Discovery on a clock that the test moves."""

    def __init__(self, **environ: str) -> None:
        self.clock = FakeClock()
        self.log = Log()
        self.begun: dict[str, Any] = {}
        self.registry = Registry()
        self.discovery = Discovery(self.clock.reactor, random.Random(1), self.registry, self.log, self._begin, environ)
        self.snapshots: list[list[tuple[int, str]]] = []

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.begun[name] = begin(work)

    def follow(self, *shards: Sequence[str]) -> None:
        self.discovery.resolver(shards).watch(
            lambda endpoints: self.snapshots.append([(each.shard, each.id) for each in endpoints])
        )


def test_addresses_and_files_of_each_shard_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text('{"endpoints": ["b:1"]}')
    bench = Bench()
    bench.follow(["a:1", f"file:{path}"], ["c:1"])
    assert bench.snapshots == [[(0, "a:1"), (0, "b:1"), (1, "c:1")]]
    path.write_text('{"endpoints": ["d:1", "e:1"]}')
    bench.clock.advance(2.0)
    assert bench.snapshots[1:] == [[(0, "a:1"), (0, "d:1"), (0, "e:1"), (1, "c:1")]]
    path.write_text("{")
    bench.clock.advance(2.0)
    assert len(bench.snapshots) == 2
    assert f'recmesh_resolver_failures_total{{source="file:{path}"}} 1' in bench.registry.render()
    assert [line["source"] for line in bench.log.lines] == [f"file:{path}"]


def test_a_source_that_two_name_is_asked_once(tmp_path: Path) -> None:
    bench = Bench()
    bench.follow([f"file:{tmp_path}/x.toml"])
    bench.follow([f"file:{tmp_path}/x.toml"])
    assert list(bench.begun) == [f"following file:{tmp_path}/x.toml"]


def test_kubernetes_outside_of_a_cluster_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="KUBERNETES_SERVICE_HOST"):
        Bench().follow(["kubernetes:mesh/embedding:7100"])
