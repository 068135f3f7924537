"""SimilarItems and SearchItems."""

from __future__ import annotations

from gateway.columns import floats
from recmesh.rpc import Status
from recmesh.v1.recommender_pb2 import SearchItemsRequest, SimilarItemsRequest
from tests.gateway.fakes import Film
from tests.gateway.kit import Mesh
from tests.gateway.test_catalogue import put
from tests.gateway.test_recommend import FILMS


def test_similar_items_are_searched_as_for_somebody_who_took_only_this_one() -> None:
    mesh = Mesh(FILMS)
    answer = mesh.answer(mesh.ask.similar_items(SimilarItemsRequest(item_id="alien", count=3, explain=True)))
    assert "alien" not in [item.id for item in answer.items] and len(answer.items) == 3
    assert (answer.title, answer.bundle_version, answer.shards_answered) == ("Alien", "v1", 2)
    for search in mesh.searches():
        assert list(search.history.item_ids) == ["alien"]
        assert list(floats(search.factors)) == list(floats(search.content)) == [1.0, 0.0]
        assert list(search.exclude_item_ids) == ["alien"]
    assert [request.surface for request in mesh.ranking.requests] == ["similar"]
    assert not mesh.ranking.requests[0].HasField("history"), "nobody has lived it"


def test_reasons_of_similar_items_speak_of_the_item() -> None:
    mesh = Mesh([*FILMS, Film("obscure", "Obscure", neighbours=("alien",), meaning=(0.5, 0.0))])
    request = SimilarItemsRequest(item_id="alien", explain=True)
    items = {item.id: item for item in mesh.answer(mesh.ask.similar_items(request)).items}
    assert [(reason.kind, reason.text, list(reason.item_ids)) for reason in items["obscure"].reasons] == [
        ("itemknn", "liked by those who liked Alien", ["alien"]),
        ("content", "its description resembles that of Alien", ["alien"]),
    ]


def test_an_unknown_item_is_named() -> None:
    mesh = Mesh(FILMS)
    error = mesh.error(mesh.ask.similar_items(SimilarItemsRequest(item_id="no such film")))
    assert error.status is Status.NOT_FOUND and "'no such film'" in error.message


def test_a_search_looks_for_the_meaning_and_in_the_titles() -> None:
    mesh = Mesh(FILMS)
    mesh.embedding.meanings["Toy"] = (0.0, 1.0)
    answer = mesh.answer(mesh.ask.search_items(SearchItemsRequest(query="Toy", explain=True, count=2)))
    assert answer.items[0].id == "toys" and len(answer.items) == 2
    assert answer.impression_id and answer.shards_total == 2
    texts = {reason.kind: reason.text for reason in answer.items[0].reasons}
    assert set(texts) <= {"content", "title", "popularity", "ials"}
    assert [request.surface for request in mesh.ranking.requests] == ["search"]
    for search in mesh.searches():
        assert search.text == "Toy" and list(floats(search.content)) == [0.0, 1.0]


def test_a_put_item_is_found_by_its_text_at_once() -> None:
    mesh = Mesh(FILMS)
    mesh.answer(mesh.ask.put_items(put("mine", "Lighthouse")))
    answer = mesh.answer(mesh.ask.search_items(SearchItemsRequest(query="Lighthouse")))
    assert "mine" in [item.id for item in answer.items]
