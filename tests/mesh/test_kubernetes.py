"""EndpointSlices: what they say, and how they are followed against a scripted API."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from twisted.internet.defer import Deferred

from recmesh.mesh.known import Known, LookError
from recmesh.mesh.kubernetes import GoneError, Json, Kubernetes, Slices
from recmesh.mesh.resolver import EndpointAddress
from recmesh.mesh.target import parse_target
from recmesh.testing import FakeClock, begin
from tests.mesh.kit import Log, Recorder
from tests.mesh.test_resolver import Told


def pod(name: str, address: str, ready: bool | None = True, **fields: Any) -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": {} if ready is None else {"ready": ready},
        "targetRef": {"kind": "Pod", "name": name},
        **fields,
    }


def piece(name: str, *pods: Mapping[str, Any], version: str = "1", family: str = "IPv4") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "resourceVersion": version},
        "addressType": family,
        "ports": [{"name": "wire", "port": 7100}, {"name": "admin", "port": 7150}],
        "endpoints": list(pods),
    }


def read(*items: Json, port: str = "wire") -> list[EndpointAddress]:
    slices = Slices(port)
    slices.replace(items)
    return list(slices.endpoints())


def test_pods_of_all_slices_are_endpoints_by_their_names() -> None:
    assert read(
        piece("x-2", pod("e-1", "10.0.0.2", zone="b")),
        piece("x-1", pod("e-0", "10.0.0.1", ready=None), pod("e-2", "10.0.0.3", ready=False)),
    ) == [
        EndpointAddress("e-0", "10.0.0.1:7100"),
        EndpointAddress("e-1", "10.0.0.2:7100", zone="b"),
        EndpointAddress("e-2", "10.0.0.3:7100", ready=False),
    ]


def test_a_port_is_named_or_a_number() -> None:
    one = piece("x", pod("e-0", "10.0.0.1"))
    assert [each.address for each in read(one, port="admin")] == ["10.0.0.1:7150"]
    assert [each.address for each in read(one, port="9000")] == ["10.0.0.1:9000"]
    assert read(one, port="grpc") == []


def test_a_pod_in_two_slices_is_one_endpoint_the_ready_one() -> None:
    both = [
        piece("x-6", pod("e-0", "fd00::1"), family="IPv6"),
        piece("x-4", pod("e-0", "10.0.0.1"), family="IPv4"),
    ]
    assert [each.address for each in read(*both)] == ["10.0.0.1:7100"]
    moved = [piece("a", pod("e-0", "10.0.0.1", ready=False)), piece("b", pod("e-0", "10.0.0.9"))]
    assert [each.address for each in read(*moved)] == ["10.0.0.9:7100"]


def test_endpoints_that_are_no_pods_are_known_by_their_address() -> None:
    nameless = {"addresses": ["10.0.0.1"], "conditions": None, "targetRef": None, "zone": None}
    assert read(piece("x", nameless, {"addresses": []}, {"addresses": None})) == [
        EndpointAddress("10.0.0.1:7100", "10.0.0.1:7100")
    ]
    assert read({"metadata": {"name": "x"}, "endpoints": None, "ports": None}) == []


class Api:
    """Answers lists from a script; watches go on until the test ends them."""

    def __init__(self, *lists: Json | LookError) -> None:
        self.lists = list(lists)
        self.asked: list[dict[str, list[str]]] = []
        self.paths: list[str] = []
        self.watching: Deferred[None] | None = None
        self.told: Callable[[Json], None] = lambda event: None

    async def get(self, path: str) -> Json:
        self._note(path)
        answer = self.lists.pop(0)
        if isinstance(answer, LookError):
            raise answer
        return answer

    async def watch(self, path: str, told: Callable[[Json], None], seconds: float) -> None:
        self._note(path)
        self.told = told
        self.watching = Deferred()
        await self.watching

    def _note(self, path: str) -> None:
        self.paths.append(urlsplit(path).path)
        self.asked.append(parse_qs(urlsplit(path).query))

    def event(self, kind: str, item: Json) -> None:
        """As a connection does: what its reader raises ends the watch."""
        try:
            self.told({"type": kind, "object": item})
        except Exception as error:
            self.end(error)

    def end(self, error: Exception | None = None) -> None:
        assert self.watching is not None
        ended, self.watching = self.watching, None
        if error is None:
            ended.callback(None)
        else:
            ended.errback(error)


class Followed:
    """A Kubernetes resolver under way."""

    def __init__(self, *lists: Json | LookError) -> None:
        self.clock, self.log, self.told = FakeClock(), Log(), Told()
        self.recorder = Recorder()
        self.api = Api(*lists)
        known = Known("kubernetes:mesh/embedding:wire", self.clock, self.recorder, self.log)
        target = parse_target("kubernetes:mesh/embedding:wire")
        self.resolver = Kubernetes(target, self.api, known, self.clock, random.Random(1))
        self.resolver.watch(self.told)
        self.running = begin(self.resolver.run())

    def later(self, seconds: float) -> None:
        for _ in range(round(10 * seconds)):
            self.clock.advance(0.1)


def listed(version: str, *items: Json) -> Json:
    return {"metadata": {"resourceVersion": version}, "items": list(items)}


E0, E1 = pod("e-0", "10.0.0.1"), pod("e-1", "10.0.0.2")


def test_slices_are_listed_once_and_then_watched() -> None:
    one = Followed(listed("5", piece("x", E0)))
    assert one.told.snapshots == [[], ["e-0"]]
    one.api.event("MODIFIED", piece("x", E0, E1, version="6"))
    one.api.event("ADDED", piece("y", pod("e-2", "10.0.0.3"), version="7"))
    one.api.event("DELETED", piece("x", version="8"))
    assert one.told.snapshots[2:] == [["e-0", "e-1"], ["e-0", "e-1", "e-2"], ["e-2"]]
    assert set(one.api.paths) == {"/apis/discovery.k8s.io/v1/namespaces/mesh/endpointslices"}
    list_, watch = one.api.asked
    assert list_ == {"labelSelector": ["kubernetes.io/service-name=embedding"]}
    assert watch["watch"] == ["1"] and watch["allowWatchBookmarks"] == ["true"] and watch["resourceVersion"] == ["5"]


def test_a_watch_that_ends_goes_on_from_the_last_version_bookmarks_included() -> None:
    one = Followed(listed("5", piece("x", E0)))
    one.api.event("BOOKMARK", {"metadata": {"resourceVersion": "90"}})
    one.api.end()
    one.later(2)
    assert [each.get("resourceVersion") for each in one.api.asked] == [None, ["5"], ["90"]]
    assert one.told.snapshots == [[], ["e-0"]]


@pytest.mark.parametrize("how", ["event", "answer"])
def test_a_version_that_is_gone_begins_again_with_a_list_and_is_no_failure(how: str) -> None:
    one = Followed(listed("5", piece("x", E0)), listed("70", piece("x", E1)))
    if how == "event":
        one.api.event("ERROR", {"code": 410, "message": "too old resource version"})
    else:
        one.api.end(GoneError("the API server answers 410: too old resource version"))
    one.later(2)
    assert one.told.snapshots[-1] == ["e-1"]
    assert one.api.asked[-1]["resourceVersion"] == ["70"]
    assert not one.recorder.counters["recmesh_resolver_failures_total"].counts


def test_a_server_that_is_away_is_asked_again_ever_more_rarely_and_nothing_is_lost() -> None:
    away = [LookError("connection refused") for _ in range(9)]
    one = Followed(listed("5", piece("x", E0)), *away, listed("9", piece("x", E0, E1)))
    one.api.end(LookError("the answer broke off"))
    one.later(30)
    assert 4 <= len(one.api.asked) - 2 <= 5
    one.later(300)
    assert one.told.snapshots == [[], ["e-0"], ["e-0", "e-1"]]
    (failures,) = one.recorder.counters["recmesh_resolver_failures_total"].counts.values()
    assert failures == 10


@pytest.mark.parametrize(
    "event", [("MODIFIED", {}), ("MODIFIED", {"metadata": {"name": "x"}, "endpoints": 5}), ("ERROR", {"code": 500})]
)
def test_an_event_that_cannot_be_read_is_a_failure_and_a_new_list(event: tuple[str, Json]) -> None:
    one = Followed(listed("5", piece("x", E0)), listed("9", piece("x", E1)))
    one.api.event(*event)
    one.later(3)
    assert one.told.snapshots[-1] == ["e-1"]
    assert one.recorder.counters["recmesh_resolver_failures_total"].counts


def test_a_service_without_pods_keeps_the_last_for_five_minutes() -> None:
    one = Followed(listed("5", piece("x", E0)))
    one.api.event("MODIFIED", piece("x", version="6"))
    for _ in range(4):
        one.later(61)
        one.api.end()
    assert one.told.snapshots[-1] == ["e-0"]
    one.later(61)
    one.api.end()
    one.later(2)
    assert one.told.snapshots[-1] == []


def test_it_leaves_no_timer_when_it_is_stopped() -> None:
    one = Followed(LookError("connection refused"))
    one.running.cancel()
    assert not one.clock.timers
