"""What sources of endpoints say, how long it is believed, and who is told."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh import endpoint_file
from recmesh.mesh.dns import Record, of_addresses, of_records
from recmesh.mesh.known import Known, LookError, Polled
from recmesh.mesh.resolver import EndpointAddress, Static, Together
from recmesh.mesh.target import Target, parse_target
from recmesh.testing import FakeClock, begin
from tests.mesh.crowd import Changing, at
from tests.mesh.kit import Log, Recorder

A, B = at("a"), at("b")


class Told:
    """Keeps the ids of every snapshot."""

    def __init__(self) -> None:
        self.snapshots: list[list[str]] = []

    def __call__(self, endpoints: Sequence[EndpointAddress]) -> None:
        self.snapshots.append([each.id for each in endpoints])


class Believed:
    """A Known, its clock, and what it told."""

    def __init__(self) -> None:
        self.clock, self.log, self.recorder, self.told = FakeClock(), Log(), Recorder(), Told()
        self.known = Known("dns:x:1", self.clock, self.recorder, self.log)
        self.known.watch(self.told)

    @property
    def failures(self) -> float:
        return self.recorder.counters["recmesh_resolver_failures_total"].counts.get(("dns:x:1",), 0)

    def age(self) -> float:
        return self.recorder.gauges["recmesh_resolver_age_seconds"].value("dns:x:1")


def test_watchers_are_told_at_once_and_whenever_it_changes() -> None:
    one = Believed()
    one.known.learn([A])
    one.known.learn([A])
    one.known.learn([A, B, A])
    assert one.told.snapshots == [[], ["a"], ["a", "b"]]
    late = Told()
    one.known.watch(late)
    assert late.snapshots == [["a", "b"]]


def test_an_empty_answer_is_believed_after_five_minutes() -> None:
    one = Believed()
    one.known.learn([A])
    for _ in range(29):
        one.clock.advance(10.0)
        one.known.learn([])
    assert one.told.snapshots[-1] == ["a"] and one.failures == 29
    one.clock.advance(10.0)
    one.known.learn([])
    assert one.told.snapshots[-1] == []


def test_a_source_that_cannot_be_asked_takes_nothing_away() -> None:
    one = Believed()
    one.known.learn([A])
    for _ in range(100):
        one.clock.advance(10.0)
        one.known.fail("no name server answered")
    assert one.told.snapshots == [[], ["a"]]
    assert (one.failures, one.age()) == (100, 1000.0)


def test_trouble_is_logged_once_and_so_is_its_end() -> None:
    one = Believed()
    one.known.learn([A])
    for _ in range(5):
        one.known.fail("no name server answered")
    one.known.learn([A])
    one.known.learn([A])
    assert [line["message"] for line in one.log.lines] == [
        "a source of endpoints fails; the last are used on",
        "a source of endpoints answers",
    ]
    assert one.log.lines[0]["reason"] == "no name server answered"


def test_a_source_is_asked_every_ten_seconds_more_or_less_whatever_it_answers() -> None:
    one = Believed()
    answers: list[Any] = [[A], None, LookError("away"), [B]]
    moments: list[float] = []

    async def look() -> Any:
        moments.append(one.clock.seconds())
        answer = answers.pop(0) if answers else None
        if isinstance(answer, LookError):
            raise answer
        return answer

    running = begin(Polled(one.known, look, one.clock, random.Random(1), 10.0, 0.2).run())
    for _ in range(500):
        one.clock.advance(0.1)
    running.cancel()
    assert one.told.snapshots == [[], ["a"], ["b"]] and one.failures == 1
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(7.9 <= pause <= 12.2 for pause in pauses) and len(set(pauses)) > 1
    assert not one.clock.timers


def test_several_sources_are_one() -> None:
    told, first, second = Told(), Changing(A), Changing()
    shards: list[int] = []
    both = Together([first, second, Static.of(["c:1"])], shard=2)
    both.watch(told)
    both.watch(lambda endpoints: shards.extend(each.shard for each in endpoints))
    second.set(B)
    first.set()
    assert told.snapshots == [["a", "c:1"], ["a", "b", "c:1"], ["b", "c:1"]]
    assert set(shards) == {2}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("10.0.0.1:7100", Target("static", "10.0.0.1:7100")),
        ("[::1]:7100", Target("static", "[::1]:7100")),
        ("dns:7100", Target("static", "dns:7100")),  # a host of that name
        ("dns:embedding.mesh:7100", Target("dns", "embedding.mesh", "7100")),
        ("srv:_wire._tcp.embedding.mesh", Target("srv", "_wire._tcp.embedding.mesh")),
        ("kubernetes:mesh/embedding:wire", Target("kubernetes", "embedding", "wire", "mesh")),
        ("kubernetes:mesh/embedding:7100", Target("kubernetes", "embedding", "7100", "mesh")),
        ("file:/etc/recmesh/embedding.toml", Target("file", "/etc/recmesh/embedding.toml")),
    ],
)
def test_what_an_operator_writes(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("embedding", "write host:port"),
        ("dns:embedding", "write dns:name:port"),
        ("srv:embedding", "write srv:_name._tcp.domain"),
        ("kubernetes:embedding:7100", "write kubernetes:namespace/service:port"),
        ("file:", "write file:/path/to/endpoints.toml"),
    ],
)
def test_what_is_no_target_is_told_how_it_is_written(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=r"is no (address|source of endpoints); write") as caught:
        parse_target(text)
    assert expected in str(caught.value)


def test_addresses_become_endpoints_in_one_order_each_once() -> None:
    found = of_addresses(["10.0.0.2", "::1", "10.0.0.1", "10.0.0.2"], 7100)
    assert [each.address for each in found] == ["10.0.0.1:7100", "10.0.0.2:7100", "[::1]:7100"]


def test_srv_records_of_the_first_priority_are_used_by_their_weights() -> None:
    records = [Record(10, 30, 7100, "b."), Record(10, 10, 7100, "a."), Record(20, 5, 7100, "spare.")]
    assert of_records(records) == [
        EndpointAddress("a:7100", "a:7100", weight=0.5),
        EndpointAddress("b:7100", "b:7100", weight=1.5),
    ]
    assert [each.weight for each in of_records([Record(0, 0, 1, "a."), Record(0, 0, 1, "b.")])] == [1.0, 1.0]
    assert of_records([]) == []


def test_endpoints_of_a_file() -> None:
    toml = """
[[endpoints]]
address = "10.0.0.1:7100"
id = "embedding-0"
zone = "a"
weight = 2
ready = false

[[endpoints]]
address = "10.0.0.2:7100"
"""
    expected = [
        EndpointAddress("embedding-0", "10.0.0.1:7100", zone="a", weight=2.0, ready=False),
        EndpointAddress("10.0.0.2:7100", "10.0.0.2:7100"),
    ]
    assert endpoint_file.read(toml, "e.toml") == expected
    table = {"endpoints": [{"address": "10.0.0.1:7100"}, "10.0.0.2:7100"]}
    assert [each.id for each in endpoint_file.read(json.dumps(table), "e.json")] == ["10.0.0.1:7100", "10.0.0.2:7100"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("endpoints = [", "e.toml: "),
        ("x = 1", "e.toml: expected a list called endpoints"),
        ('endpoints = ["a:1"]\nx = 1', "e.toml: expected a list called endpoints"),
        ('endpoints = ["a:1", "b"]', "e.toml: endpoint 2: 'b' is no address"),
        ("endpoints = [1]", "endpoint 1: expected an address or a table"),
        ("endpoints = [{}]", "endpoint 1: '' is no address"),
        ('endpoints = [{address = "a:1", wieght = 2}]', "unknown key 'wieght'; the keys are address"),
        ('endpoints = [{address = "a:1", weight = 0}]', "weight = 0 is not above 0"),
        ('endpoints = [{address = "a:1", weight = nan}]', "weight = nan is not above 0"),
        ('endpoints = [{address = "a:1", ready = 1}]', "ready = 1 is no bool"),
        ('endpoints = ["a:1", "a:1"]', "endpoint 2: the id 'a:1' is there twice"),
    ],
)
def test_what_cannot_be_used_in_a_file_is_named(text: str, message: str) -> None:
    with pytest.raises(LookError) as caught:
        endpoint_file.read(text, "e.toml")
    assert message in str(caught.value)


@given(st.text(max_size=200), st.sampled_from(["e.toml", "e.json"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    with contextlib.suppress(LookError):
        assert all(each.address for each in endpoint_file.read(text, name))
