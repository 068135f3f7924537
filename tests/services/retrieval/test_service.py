"""What callers of the retrieval service get: candidates, items, and clear refusals."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.struct_pb2 import Struct

from models.shard import shard_of
from recmesh.rpc.status import Status
from recmesh.v1 import retrieval_pb2 as pb
from recmesh.v1.common_pb2 import History, Item
from services.retrieval.service import ANSWER_BYTES
from tests.services.retrieval.conftest import Make
from tests.services.retrieval.kit import NOW, Replica, record, unit
from tests.services.tiny import CONTENT, FACTORS, ITEMS

LIKED = History(item_ids=["i1"], weights=struct.pack("<f", 1.0), timestamps=struct.pack("<d", 1.0))


def column(answer: pb.SearchResponse, source: str) -> dict[str, float]:
    [found] = [each for each in answer.sources if each.source == source]
    return dict(zip(answer.item_ids, np.frombuffer(found.scores, "<f4").tolist(), strict=True))


def test_columns_run_parallel_to_the_candidates(replica: Replica, bundle: Path) -> None:
    answer = replica.search(factors=unit(FACTORS), content=unit(CONTENT), history=LIKED, text="red planet", count=3)
    assert answer.bundle_version == bundle.name
    assert list(answer.item_ids) == sorted(set(answer.item_ids))
    assert {each.source for each in answer.sources} >= {"ials", "content", "itemknn", "transitions", "popularity"}
    for each in answer.sources:
        assert len(each.scores) == 4 * len(answer.item_ids) and not each.because
    assert answer.is_new == bytes(len(answer.item_ids))


def test_the_best_of_a_source_are_among_the_candidates(replica: Replica) -> None:
    everything = column(replica.search(factors=unit(FACTORS), sources=["ials"], count=30), "ials")
    best = column(replica.search(factors=unit(FACTORS), sources=["ials"], count=5), "ials")
    assert len(everything) == 30
    assert sorted(best.values()) == sorted(everything.values())[-5:]


def test_excluded_items_make_room_for_others(replica: Replica) -> None:
    first = replica.search(factors=unit(FACTORS), sources=["ials"], count=5).item_ids
    second = replica.search(factors=unit(FACTORS), sources=["ials"], count=5, exclude_item_ids=first).item_ids
    assert len(second) == 5 and not set(first) & set(second)


def test_a_filter_comes_before_the_search(replica: Replica) -> None:
    replica.put(record("new", categories=["western"]))
    found = replica.search(factors=unit(FACTORS), filter='categories has "western"', count=5)
    assert list(found.item_ids) == ["new"] and found.is_new == b"\1"


def test_explanations_name_the_entry_of_the_history(replica: Replica) -> None:
    answer = replica.search(history=LIKED, sources=["itemknn"], count=5, explain=True)
    [found] = answer.sources
    assert set(np.frombuffer(found.because, "<i4").tolist()) == {0}


def test_titles_come_along_unless_they_would_fill_a_message(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"factors": unit(FACTORS), "sources": ["ials"], "count": 5}
    told = replica.search(**asked, titles=True)
    assert list(told.titles) == [replica.get(item_id)[0].item.title for item_id in told.item_ids] and any(told.titles)
    assert not replica.search(**asked).titles
    monkeypatch.setattr("services.retrieval.service.MOST_TITLES", 20)
    assert not replica.search(**asked, titles=True).titles


def test_two_shards_find_what_one_finds(make: Make) -> None:
    whole = column(make().search(factors=unit(FACTORS), sources=["ials"], count=30), "ials")
    halves = [make(f"half{shard}", shard=shard, shards=2) for shard in range(2)]
    answers = [half.search(factors=unit(FACTORS), sources=["ials"], count=30) for half in halves]
    assert [answer.shard for answer in answers] == [0, 1]
    assert column(answers[0], "ials") | column(answers[1], "ials") == whole


def test_items_come_with_what_was_asked_for(replica: Replica) -> None:
    attributes = Struct()
    attributes.update({"year": 1979, "tags": ["a", "b"], "seen": True, "note": None, "place": "Ä"})
    sent = record("new", "Alien", text="in space", categories=["horror"], created=7.0, attributes=attributes)
    replica.put(sent)
    [plain] = replica.get("new")
    assert plain.item == Item(id="new", title="Alien", categories=["horror"], created=7.0, attributes=attributes)
    assert plain.is_new and not plain.factors
    [whole] = replica.get("new", include_text=True, include_vectors=True)
    assert whole.item == sent.item and (whole.factors, whole.content) == (sent.factors, sent.content)
    [bundled] = replica.get("i3", "unknown", include_vectors=True)
    assert bundled.item.title == "old castle 3" and not bundled.is_new and len(bundled.factors) == 4 * FACTORS


def test_an_answer_too_large_for_a_message_is_refused(replica: Replica) -> None:
    names = [f"n{number}" for number in range(60)]
    for name in names:
        replica.put(record(name, text="x" * 65_000))
    work = replica.stub.get_items(pb.GetItemsRequest(item_ids=names, include_text=True))
    assert "ask for fewer" in replica.turning.refusal(work, Status.RESOURCE_EXHAUSTED)
    assert len(replica.get(*names)) == 60
    first = replica.changes()
    assert 0 < len(first) < 60 and sum(each.ByteSize() for each in first) <= ANSWER_BYTES
    assert len(first) + len(replica.changes(first[-1].sequence)) == 60


SEARCHES: list[tuple[dict[str, Any], str]] = [
    ({"count": 0}, "count: 1 to 1,000, not 0"),
    ({"count": 10**9}, "count: 1 to 1,000, not 1,000,000,000"),
    ({"factors": b"123"}, "factors: 1 x 4 numbers of 4 bytes take 16 bytes, these are 3"),
    ({"factors": unit(5)}, "factors: 1 x 4 numbers of 4 bytes take 16 bytes, these are 20"),
    ({"content": struct.pack("<3f", 1, math.nan, 1)}, "content: not every number is finite"),
    ({"history": History(item_ids=["a"])}, "history.weights: 1 numbers of 4 bytes take 4 bytes, these are 0"),
    ({"sources": ["ials", "magic"]}, "sources: 'magic' is none of ials, itemknn"),
    ({"surface": "frontpage"}, "surface: 'frontpage' is none of recommend, similar, search"),
    ({"text": "x" * 4_097}, "text: at most 4,096 bytes"),
    ({"filter": "year >="}, "filter: at character 8"),
    ({"filter": "x" * 20_000}, "filter: at most 16,384 bytes"),
    ({"exclude_item_ids": ["a", ""]}, "exclude_item_ids[1]: an id must not be empty"),
    ({"exclude_item_ids": ["a"] * 20_001}, "exclude_item_ids: at most 20,000"),
]


@pytest.mark.parametrize(("fields", "problem"), SEARCHES)
def test_a_wrong_search_is_refused_by_its_field(replica: Replica, fields: dict[str, Any], problem: str) -> None:
    work = replica.stub.search(pb.SearchRequest(**{"count": 10, **fields}))
    assert replica.turning.refusal(work, Status.INVALID_ARGUMENT).startswith(problem)


def changed(change: Callable[[pb.ItemRecord], object]) -> pb.ItemRecord:
    made = record("new")
    change(made)
    return made


def attribute(value: Any) -> pb.ItemRecord:
    made = record("new")
    made.item.attributes.update({"a": value})
    return made


PUTS: list[tuple[pb.ItemRecord, str]] = [
    (pb.ItemRecord(), "records.id: an id must not be empty"),
    (record("x" * 257), "records.id: an id is at most 256 bytes"),
    (record("new", "x" * 4_097), "records.title: at most 4,096 bytes"),
    (record("new", text="x" * 65_537), "records.text: at most 65,536 bytes"),
    (record("new", categories=[""]), "records.categories[0]: an id must not be empty"),
    (record("new", categories=["x"] * 101), "records.categories: at most 100"),
    (record("new", created=-1.0), "records.created: -1 is no Unix time"),
    (record("new", created=math.nan), "records.created: nan is no Unix time"),
    (attribute({"b": 1}), "records.attributes['a']: a table has no place in an attribute"),
    (attribute(["b", 1]), "records.attributes['a']: a list may only hold texts"),
    (attribute(math.inf), "records.attributes['a']: the number is not finite"),
    (attribute("x" * 16_384), "records.attributes: at most 16,384 bytes"),
    (changed(lambda made: setattr(made, "factors", unit(5))), "factors: 1 x 4 numbers of 4 bytes take 16 bytes"),
    (changed(lambda made: setattr(made, "content", b"1")), "content: 1 x 3 numbers of 4 bytes take 12 bytes"),
    (record("new", changed=NOW + 301), "changed: 5301 is no Unix time up to now"),
    (record("new", changed=math.nan), "changed: nan is no Unix time up to now"),
]


@pytest.mark.parametrize(("wrong", "problem"), PUTS)
def test_a_wrong_item_is_refused_and_none_is_stored(replica: Replica, wrong: pb.ItemRecord, problem: str) -> None:
    work = replica.stub.put_items(pb.PutShardItemsRequest(records=[record("good"), wrong]))
    assert replica.turning.refusal(work, Status.INVALID_ARGUMENT).startswith(problem)
    assert not replica.get("good") and not replica.changes()


def test_an_item_of_another_shard_is_refused(make: Make) -> None:
    half = make(shard=0, shards=2)
    stranger = next(name for name in ITEMS if shard_of(name, 2) == 1)
    work = half.stub.put_items(pb.PutShardItemsRequest(records=[record(stranger)]))
    assert f"item '{stranger}' belongs to shard 1 of 2, this is shard 0" in half.turning.refusal(
        work, Status.INVALID_ARGUMENT
    )
    deletion = half.stub.delete_items(pb.DeleteShardItemsRequest(item_ids=[stranger]))
    assert "belongs to shard 1" in half.turning.refusal(deletion, Status.INVALID_ARGUMENT)


def test_an_item_stands_once_in_a_request(replica: Replica) -> None:
    work = replica.stub.put_items(pb.PutShardItemsRequest(records=[record("a"), record("a")]))
    assert replica.turning.refusal(work, Status.INVALID_ARGUMENT) == "records: 'a' is there twice"


def test_a_version_that_is_not_loaded_is_refused(replica: Replica) -> None:
    for work in (
        replica.stub.search(pb.SearchRequest(bundle_version="no", count=1)),
        replica.stub.put_items(pb.PutShardItemsRequest(bundle_version="no")),
        replica.stub.get_items(pb.GetItemsRequest(bundle_version="no")),
    ):
        assert "version 'no' is not loaded" in replica.turning.refusal(work, Status.FAILED_PRECONDITION)
