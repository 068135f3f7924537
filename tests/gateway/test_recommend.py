"""Recommend, from the request to the page."""

from __future__ import annotations

import math
import random

import pytest

from gateway.candidates import of_each
from gateway.columns import floats
from models.blend import Blend
from recmesh.rpc import Context, Status
from recmesh.v1.common_pb2 import Item
from recmesh.v1.recommender_pb2 import HistoryItem, PutItemsRequest, RecommendRequest, RecommendResponse
from tests.gateway.fakes import Film
from tests.gateway.kit import NOW, Mesh

FILMS = [
    Film("alien", "Alien", 9.0, taste=(1.0, 0.0), meaning=(1.0, 0.0)),
    Film("aliens", "Aliens", 8.0, taste=(0.9, 0.0), meaning=(1.0, 0.0), neighbours=("alien",)),
    Film("solaris", "Solaris", 1.0, taste=(0.8, 0.1), meaning=(0.6, 0.8), neighbours=("alien",)),
    Film("amelie", "Amelie", 7.0, taste=(0.0, 1.0), meaning=(0.0, 1.0)),
    Film("toys", "Toy Story", 10.0, taste=(0.1, 0.9), meaning=(0.0, 1.0)),
]
MANY = [Film(f"film-{i:03}", f"Film {i}", popularity=200.0 - i) for i in range(200)]


def ids(answer: RecommendResponse) -> list[str]:
    return [item.id for item in answer.items]


def ask(user_id: str = "ripley", **fields: object) -> RecommendRequest:
    return RecommendRequest(user_id=user_id, **fields)  # type: ignore[arg-type]


def mesh_of_ripley() -> Mesh:
    mesh = Mesh(FILMS)
    mesh.history("ripley", "alien")
    return mesh


def test_a_known_user_gets_unseen_items_with_titles_from_all_shards() -> None:
    mesh = mesh_of_ripley()
    answer = mesh.answer(mesh.ask.recommend(ask()))
    assert ids(answer) == ["aliens", "toys", "amelie", "solaris"]
    assert [item.title for item in answer.items] == ["Aliens", "Toy Story", "Amelie", "Solaris"]
    assert [item.score for item in answer.items] == sorted((item.score for item in answer.items), reverse=True)
    assert (answer.shards_total, answer.shards_answered) == (2, 2) and answer.degraded == []
    assert answer.personalized and answer.bundle_version == "v1"
    assert {len(fake.films) for fake in mesh.retrieval.values()} != {0, 5}  # both shards have a part


def test_every_shard_is_asked_with_what_the_history_says_in_each_space() -> None:
    mesh = mesh_of_ripley()
    mesh.answer(mesh.ask.recommend(ask()))
    for search in mesh.searches():
        told = [list(floats(part)) for part in (search.factors, search.content, search.sequence)]
        assert told == [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def test_the_lists_do_not_depend_on_the_number_of_shards() -> None:
    lists = []
    for shards in (1, 2, 3):
        mesh = Mesh(FILMS, shards=shards)
        mesh.history("ripley", "alien")
        lists.append([(item.id, item.score) for item in mesh.answer(mesh.ask.recommend(ask())).items])
    assert lists[0] == lists[1] == lists[2]


def test_ranking_is_told_what_the_search_was_made_with() -> None:
    mesh = mesh_of_ripley()
    mesh.answer(mesh.ask.recommend(ask()))
    [search, *_], [ranking] = mesh.searches(), mesh.ranking.requests
    assert list(ranking.history.item_ids) == ["alien"] and ranking.history == search.history


def test_one_version_answers_through_all_stages() -> None:
    mesh = mesh_of_ripley()
    mesh.answer(mesh.ask.recommend(ask()))
    asked = [*mesh.feedback.requests, *mesh.embedding.requests, *mesh.searches(), *mesh.ranking.requests]
    assert len(asked) == 5
    assert {request.bundle_version for request in asked} == {"v1"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("told", [True, False])
def test_titles_come_with_the_candidates_or_are_fetched(told: bool) -> None:
    mesh = mesh_of_ripley()
    mesh.retrieval["1-0"].tells_titles = told
    answer = mesh.answer(mesh.ask.recommend(ask()))
    assert {item.id: item.title for item in answer.items} == {film.id: film.title for film in FILMS[1:]}
    assert any(replica.fetches for replica in mesh.retrieval.values()) != told


@pytest.mark.parametrize(("count", "shards"), [(1, 1), (10, 2), (200, 2), (200, 3), (200, 50), (1_000, 8)])
def test_shards_are_asked_for_enough_that_the_best_of_all_are_among_it(count: int, shards: int) -> None:
    asked = of_each(count, shards)
    assert asked <= count and asked * shards >= count
    share = 1 / shards
    one_holds_more = sum(
        math.comb(count, held) * share**held * (1 - share) ** (count - held) for held in range(asked + 1, count + 1)
    )
    assert shards * one_holds_more < 1e-8


def test_every_shard_is_asked_for_its_part_of_the_candidates_and_ranking_cuts_to_their_number() -> None:
    mesh = mesh_of_ripley()
    mesh.answer(mesh.ask.recommend(ask()))
    assert [search.count for search in mesh.searches()] == [of_each(200, 2)] * 2
    assert {search.surface for search in mesh.searches()} == {"recommend"}
    assert [request.candidates_per_source for request in mesh.ranking.requests] == [200]
    mesh.answer(mesh.ask.recommend(ask(offset=400, count=100)))
    assert [search.count for search in mesh.searches()][1::2] == [of_each(1_000, 2)] * 2
    assert [request.candidates_per_source for request in mesh.ranking.requests[1:]] == [200, 1_000]


@pytest.mark.parametrize("ranking_is_away", [False, True])
@pytest.mark.parametrize("diversity", [0.0, 0.5])
def test_pages_make_up_the_list_they_are_pages_of(diversity: float, ranking_is_away: bool) -> None:
    """Which candidates there are decides how they are scored, and the first pages ask for fewer than later ones."""
    rng = random.Random(3)
    films = [
        Film(f"film-{i:03}", popularity=rng.random(), taste=(rng.uniform(-1, 1), rng.uniform(-1, 1)))
        for i in range(120)
    ]
    fresh = [Film(f"fresh-{i}", taste=(rng.random(), rng.random()), is_new=True) for i in range(5)]
    mesh = Mesh([*films, *fresh], candidates_per_source=20)
    mesh.ranking.blend = Blend({"recommend": {"ials": 0.5, "popularity": 0.5}})
    if ranking_is_away:
        mesh.down("ranking")
    mesh.history("ripley", "film-000")

    def page(offset: int, count: int) -> RecommendResponse:
        return mesh.answer(mesh.ask.recommend(ask(offset=offset, count=count, diversity=diversity)))

    pages = [item.id for offset in range(0, 130, 10) for item in page(offset, 10).items]
    assert len(pages) == len(set(pages)) == 124
    if not diversity:  # its windows are of the size of pages
        assert pages == ids(page(0, 130))


def test_seen_items_are_left_out_unless_asked_for() -> None:
    mesh = mesh_of_ripley()
    answer = mesh.answer(mesh.ask.recommend(ask(exclude_seen=False)))
    assert "alien" in ids(answer)
    assert [list(search.exclude_item_ids) for search in mesh.searches()] == [[], []]


def test_excluded_items_are_left_out_beside_the_seen_ones() -> None:
    mesh = mesh_of_ripley()
    answer = mesh.answer(mesh.ask.recommend(ask(exclude_item_ids=["toys"])))
    assert ids(answer) == ["aliens", "amelie", "solaris"]


def test_an_unknown_user_gets_popular_items_and_is_told_so() -> None:
    mesh = mesh_of_ripley()
    answer = mesh.answer(mesh.ask.recommend(ask("nobody", explain=True)))
    assert ids(answer) == ["toys", "alien", "aliens", "amelie", "solaris"]
    assert not answer.personalized and answer.degraded == []
    assert [[reason.kind for reason in item.reasons] for item in answer.items] == [["popularity"]] * 5
    assert answer.items[0].reasons[0].text == "popular with everyone"
    assert not mesh.embedding.requests


def test_a_user_of_whose_items_nothing_is_known_is_not_called_personalized() -> None:
    mesh = mesh_of_ripley()
    mesh.history("stranger", "a film nobody has")
    assert not mesh.answer(mesh.ask.recommend(ask("stranger"))).personalized


def test_items_put_after_the_bundle_speak_for_a_user_who_took_nothing_else() -> None:
    mesh = mesh_of_ripley()
    mesh.embedding.films = {}  # it knows the bundle alone
    mesh.history("ripley", "alien")
    answer = mesh.answer(mesh.ask.recommend(ask()))
    assert answer.personalized
    assert list(floats(mesh.searches()[0].factors)) == [1.0, 0.0]
    assert list(floats(mesh.searches()[0].content)) == [1.0, 0.0]


def test_a_disliked_new_item_speaks_for_nothing() -> None:
    mesh = mesh_of_ripley()
    mesh.embedding.films = {}
    history = [HistoryItem(item_id="alien", weight=-1.0)]
    answer = mesh.answer(mesh.ask.recommend(ask(history=history)))
    assert not answer.personalized
    assert "alien" not in ids(answer)


def test_the_requests_history_replaces_the_stored_one() -> None:
    mesh = mesh_of_ripley()
    history = [HistoryItem(item_id="alien", weight=0.5), HistoryItem(item_id="amelie"), HistoryItem(item_id="alien")]
    answer = mesh.answer(mesh.ask.recommend(ask(history=history)))
    assert not mesh.feedback.requests
    assert set(ids(answer)) == {"aliens", "solaris", "toys"}
    sent = mesh.searches()[0].history
    assert list(sent.item_ids) == ["alien", "amelie"]  # newest first, each once
    assert list(floats(sent.weights)) == [1.0, 1.0]


def test_a_history_needs_no_user() -> None:
    mesh = mesh_of_ripley()
    answer = mesh.answer(mesh.ask.recommend(RecommendRequest(history=[HistoryItem(item_id="alien", timestamp=NOW)])))
    assert answer.personalized and "alien" not in ids(answer)


def test_a_long_history_is_looked_at_in_part_and_left_out_whole() -> None:
    mesh = mesh_of_ripley()
    taken = [f"item-{i}" for i in range(501)]
    mesh.history("collector", *taken)
    mesh.answer(mesh.ask.recommend(ask("collector")))
    search = mesh.searches()[0]
    assert list(search.history.item_ids) == taken[:500]
    assert (len(search.history.weights), len(search.history.timestamps)) == (2000, 4000)
    assert list(search.exclude_item_ids) == taken


def test_a_text_stands_for_what_the_users_items_are_about() -> None:
    mesh = mesh_of_ripley()
    mesh.embedding.meanings["Toy"] = (0.0, 1.0)
    mesh.answer(mesh.ask.recommend(ask(query_text="Toy")))
    search = mesh.searches()[0]
    assert list(floats(search.content)) == [0.0, 1.0]
    assert list(floats(search.factors)) == [1.0, 0.0]  # still the user's taste
    assert search.text == "Toy"


def test_a_text_says_what_an_unknown_user_may_like() -> None:
    mesh = mesh_of_ripley()
    mesh.embedding.meanings["space"] = (1.0, 0.0)
    answer = mesh.answer(mesh.ask.recommend(ask("nobody", query_text="space")))
    assert list(floats(mesh.searches()[0].factors)) == [1.0, 0.0]
    assert not answer.personalized


def test_the_filter_goes_to_the_shards_and_its_error_comes_back() -> None:
    mesh = mesh_of_ripley()
    error = mesh.error(mesh.ask.recommend(ask(filter="wrong")))
    assert error.status is Status.INVALID_ARGUMENT
    assert error.message == "filter: at character 0: expected a comparison"
    assert not mesh.away


def test_pages_are_disjoint_and_in_order() -> None:
    mesh = Mesh(MANY)
    whole = ids(mesh.answer(mesh.ask.recommend(ask("nobody", count=60))))
    pages = [ids(mesh.answer(mesh.ask.recommend(ask("nobody", count=20, offset=offset)))) for offset in (0, 20, 40)]
    assert [each for page in pages for each in page] == whole == [film.id for film in MANY[:60]]


def test_a_page_past_the_end_is_empty() -> None:
    mesh = mesh_of_ripley()
    answer = mesh.answer(mesh.ask.recommend(ask(offset=500)))
    assert not answer.items and answer.degraded == []


def test_ten_items_are_given_where_no_count_is() -> None:
    mesh = Mesh(MANY)
    assert len(mesh.answer(mesh.ask.recommend(ask("nobody"))).items) == 10


def test_every_answer_has_an_impression_of_its_own() -> None:
    mesh = mesh_of_ripley()
    impressions = {mesh.answer(mesh.ask.recommend(ask())).impression_id for _ in range(3)}
    assert len(impressions) == 3 and all(len(each) == 36 for each in impressions)


def test_reasons_name_what_they_go_back_to() -> None:
    mesh = Mesh(FILMS)
    mesh.history("ripley", "alien")
    answer = mesh.answer(mesh.ask.recommend(ask(explain=True, exclude_item_ids=["toys", "amelie", "solaris"])))
    [aliens] = answer.items
    assert aliens.sources == ["popularity", "content", "itemknn", "ials"]
    assert [(reason.kind, reason.text) for reason in aliens.reasons] == [
        ("itemknn", "because you liked Alien"),
        ("popularity", "popular with everyone"),
    ]
    assert list(aliens.reasons[0].item_ids) == ["alien"]


def test_reasons_do_not_go_back_to_what_was_disliked() -> None:
    mesh = Mesh(FILMS)
    disliked = [HistoryItem(item_id="alien", weight=-1.0)]
    answer = mesh.answer(mesh.ask.recommend(ask("", history=disliked, explain=True, count=1)))
    [aliens] = answer.items
    assert "itemknn" in aliens.sources
    assert not any(reason.item_ids or "liked" in reason.text.split() for reason in aliens.reasons)


def test_a_source_that_has_nothing_for_an_item_is_not_its_reason() -> None:
    """Of a single candidate every source's contribution is zero, whatever it thinks of it."""
    mesh = mesh_of_ripley()
    mesh.ranking.factor = 0.0
    everything = [film.id for film in FILMS if film.id != "amelie"]
    [item] = mesh.answer(mesh.ask.recommend(ask(exclude_item_ids=everything, explain=True))).items
    assert item.id == "amelie" and [reason.kind for reason in item.reasons] == ["popularity"]


def test_no_reasons_unless_asked_for() -> None:
    mesh = mesh_of_ripley()
    assert not any(item.reasons for item in mesh.answer(mesh.ask.recommend(ask())).items)
    assert not any(search.explain for search in mesh.searches())


def test_a_new_item_that_suits_the_user_is_recommended_at_once() -> None:
    mesh = Mesh(MANY)
    mesh.history("ripley", "film-000")
    mesh.films["film-000"] = Film("film-000", taste=(1.0, 0.0))
    mesh.embedding.meanings["The Lighthouse\nThe Lighthouse\nThe Lighthouse"] = (0.5, 0.0)
    mesh.answer(mesh.ask.put_items(PutItemsRequest(items=[Item(id="lighthouse", title="The Lighthouse")])))
    answer = mesh.answer(mesh.ask.recommend(ask(explain=True)))
    assert ids(answer).index("lighthouse") == 9
    item = answer.items[9]
    assert "new" in item.sources
    assert (item.reasons[0].kind, item.reasons[0].text) == ("new", "new in the catalogue")
    assert mesh.answer(mesh.ask.recommend(ask("nobody"))).items[9].id == "film-009"


def test_no_place_is_kept_for_new_items_where_the_share_is_zero() -> None:
    fresh = Film("fresh", taste=(0.5, 0.0), is_new=True)
    for share, found in ((0.1, True), (0.0, False)):
        mesh = Mesh([*MANY, fresh, Film("taken", taste=(1.0, 0.0))], fresh_share=share)
        mesh.history("ripley", "taken")
        assert ("fresh" in ids(mesh.answer(mesh.ask.recommend(ask())))) is found


def test_diversity_keeps_the_best_and_moves_the_like_apart() -> None:
    alike = [Film(f"space-{i}", popularity=100.0 - i, taste=(1.0, 0.0)) for i in range(5)]
    other = Film("garden", popularity=90.0, taste=(0.0, 1.0))
    mesh = Mesh([*alike, other])
    by_score = ids(mesh.answer(mesh.ask.recommend(ask("nobody", count=2))))
    diverse = ids(mesh.answer(mesh.ask.recommend(ask("nobody", count=2, diversity=0.7))))
    assert by_score == ["space-0", "space-1"]
    assert diverse == ["space-0", "garden"]


def test_diverse_pages_are_disjoint_too() -> None:
    films = [Film(f"f-{i:03}", popularity=500.0 - i, taste=(float(i % 3), float(i % 5))) for i in range(100)]
    mesh = Mesh(films)
    pages = [
        ids(mesh.answer(mesh.ask.recommend(ask("nobody", count=7, offset=offset, diversity=0.5))))
        for offset in range(0, 70, 7)
    ]
    shown = [each for page in pages for each in page]
    assert len(set(shown)) == len(shown) == 70
    assert shown[:21] != [film.id for film in films[:21]] and set(shown[:21]) == {film.id for film in films[:21]}


def test_a_page_of_a_thousand_has_a_thousand_titles() -> None:
    films = [Film(f"f-{i:04}", f"Film {i}", popularity=5000.0 - i, neighbours=(f"t-{i:04}",)) for i in range(1200)]
    mesh = Mesh(films, shards=1)
    mesh.history("collector", *[f"t-{i:04}" for i in range(500)])
    answer = mesh.answer(mesh.ask.recommend(ask("collector", count=1000, explain=True, diversity=0.1)))
    assert len(answer.items) == 1000 and all(item.title for item in answer.items)
    assert answer.degraded == []


def test_diverse_pages_with_a_fresh_item_are_disjoint_too() -> None:
    films = [Film(f"f-{i:03}", popularity=500.0 - i, taste=(float(i % 3), float(i % 5))) for i in range(100)]
    mesh = Mesh([*films, Film("fresh", taste=(0.001, 0.0), is_new=True), Film("taken", taste=(1e-9, 0.0))])
    mesh.history("ripley", "taken")
    pages = [
        ids(mesh.answer(mesh.ask.recommend(ask(count=10, offset=offset, diversity=0.5)))) for offset in range(0, 60, 10)
    ]
    shown = [each for page in pages for each in page]
    assert len(set(shown)) == len(shown) == 60
    assert shown[9] == "fresh"


@pytest.mark.parametrize("version", ["", "v1"])
def test_the_version_may_be_named(version: str) -> None:
    mesh = mesh_of_ripley()
    assert mesh.answer(mesh.ask.recommend(ask(bundle_version=version))).bundle_version == "v1"


def test_a_stage_gets_a_part_of_the_time_and_the_callers_trace() -> None:
    mesh = mesh_of_ripley()
    trace = bytes(range(16)) + bytes(9)
    mesh.answer(mesh.ask.recommend(ask(), Context(deadline=1.0, trace=trace)))
    feedback = mesh.wires["feedback"].contexts[-1]
    assert feedback.deadline is not None and 0.38 < feedback.deadline < 0.4
    assert feedback.trace[:16] == trace[:16]
