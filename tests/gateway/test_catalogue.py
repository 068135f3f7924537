"""PutItems and DeleteItems."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue import item_text
from gateway.columns import floats
from gateway.upstreams import shard_of
from models.content import item_text as trained_text
from models.data import ItemInfo
from models.shard import shard_of as models_shard_of
from recmesh.rpc import RpcError, Status
from recmesh.v1.common_pb2 import Item
from recmesh.v1.recommender_pb2 import DeleteItemsRequest, PutItemsRequest
from tests.gateway.kit import NOW, Mesh
from tests.gateway.test_recommend import FILMS


def put(*items: str) -> PutItemsRequest:
    """Items of ids and titles, in turns."""
    return PutItemsRequest(items=[Item(id=a, title=b) for a, b in zip(items[::2], items[1::2], strict=True)])


def test_an_item_is_embedded_and_told_to_every_replica_of_its_shard() -> None:
    mesh = Mesh(FILMS, shards=2, replicas=3)
    mesh.embedding.meanings["A\nA\nA"] = (0.25, 0.5)
    answer = mesh.answer(mesh.ask.put_items(put("a", "A")))
    assert (answer.stored, answer.replicas_asked, answer.replicas_acknowledged) == (1, 3, 3)
    owner = shard_of("a", 2)
    for name, fake in mesh.retrieval.items():
        assert len(fake.puts) == (1 if name.startswith(str(owner)) else 0)
    records = [fake.puts[0].records[0] for fake in mesh.retrieval.values() if fake.puts]
    assert all(record == records[0] for record in records)  # the time of the change too
    assert records[0].changed == NOW and records[0].is_new
    assert list(floats(records[0].factors)) == list(floats(records[0].content)) == [0.25, 0.5]


def test_items_go_to_the_shards_that_own_them() -> None:
    mesh = Mesh(FILMS, shards=3)
    names = [f"item-{i}" for i in range(30)]
    answer = mesh.answer(mesh.ask.put_items(put(*(text for name in names for text in (name, name)))))
    assert (answer.stored, answer.replicas_asked) == (30, 3)
    for shard in range(3):
        [request] = mesh.retrieval[f"{shard}-0"].puts
        assert {record.item.id for record in request.records} == {name for name in names if shard_of(name, 3) == shard}


def test_one_replica_that_has_it_is_enough() -> None:
    mesh = Mesh(FILMS, shards=1, replicas=2)
    mesh.down("0-1")
    answer = mesh.answer(mesh.ask.put_items(put("a", "A")))
    assert (answer.stored, answer.replicas_asked, answer.replicas_acknowledged) == (1, 2, 1)


def test_a_shard_that_took_nothing_fails_the_call() -> None:
    mesh = Mesh(FILMS, shards=1, replicas=2)
    mesh.down("0")
    error = mesh.error(mesh.ask.put_items(put("a", "A")))
    assert error.status is Status.UNAVAILABLE
    assert "no replica of shard 0 (0-0:1, 0-1:1) took the change" in error.message


def test_what_a_shard_has_against_an_item_comes_back() -> None:
    mesh = Mesh(FILMS, shards=1)
    mesh.wires["0-0"].fails = RpcError(Status.INVALID_ARGUMENT, "records[0].factors: 3 numbers")
    error = mesh.error(mesh.ask.put_items(put("a", "A")))
    assert (error.status, error.message) == (Status.INVALID_ARGUMENT, "records[0].factors: 3 numbers")


def test_nothing_is_stored_while_items_cannot_be_embedded() -> None:
    mesh = Mesh(FILMS)
    mesh.down("embedding")
    error = mesh.error(mesh.ask.put_items(put("a", "A")))
    assert error.status is Status.UNAVAILABLE and error.message.startswith("nothing was stored")
    assert not any(fake.puts for fake in mesh.retrieval.values())


def test_nothing_to_put() -> None:
    mesh = Mesh(FILMS)
    assert mesh.answer(mesh.ask.put_items(PutItemsRequest())).stored == 0
    assert mesh.answer(mesh.ask.delete_items(DeleteItemsRequest())).replicas_asked == 0
    assert not mesh.embedding.requests


def test_deleted_items_are_counted_once_however_many_replicas_have_them() -> None:
    mesh = Mesh(FILMS, replicas=2)
    del mesh.retrieval[f"{shard_of('alien', 2)}-0"].films["alien"]  # this replica lags behind
    answer = mesh.answer(mesh.ask.delete_items(DeleteItemsRequest(item_ids=["alien", "toys", "toys", "unknown"])))
    assert answer.deleted == 2
    assert answer.replicas_asked == answer.replicas_acknowledged
    changes = [request.changed for fake in mesh.retrieval.values() for request in fake.deletions]
    assert set(changes) == {NOW}


def test_deleting_goes_on_without_a_bundle_version() -> None:
    mesh = Mesh(FILMS)
    mesh.versions.current = ""
    assert mesh.answer(mesh.ask.delete_items(DeleteItemsRequest(item_ids=["alien"]))).deleted == 1


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = words | st.lists(words, max_size=3) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)


@given(words, words, st.lists(words, max_size=3), st.dictionaries(words, values, max_size=3))
def test_the_text_of_an_item_is_the_one_that_training_embeds(
    title: str, text: str, categories: list[str], attributes: dict[str, str | list[str] | bool | float]
) -> None:
    info = ItemInfo("x", title, text, tuple(categories), attributes)
    fields = Struct()
    fields.update(attributes)
    message = Item(id="x", title=title, text=text, categories=categories, attributes=fields)
    assert item_text(message) == trained_text(info)


def test_a_text_longer_than_embedding_takes_is_cut() -> None:
    assert len(item_text(Item(id="x", title="é" * 40_000)).encode()) == 65_536


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_items_are_divided_as_retrieval_divides_them(shards: int) -> None:
    for item_id in ("a", "ä", "film-7", "\U0001f600"):
        assert shard_of(item_id, shards) == models_shard_of(item_id, shards)
