"""What an answer does without a stage, and that it says so."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gateway.columns import pack_ints
from gateway.degradation import DECLARED
from recmesh.rpc import Context, RpcError, Status
from recmesh.v1.common_pb2 import Event, Item
from recmesh.v1.ranking_pb2 import RankRequest, RankResponse
from recmesh.v1.ranking_rpc import RANKING_RANK
from recmesh.v1.recommender_pb2 import (
    DeleteUserRequest,
    HistoryItem,
    PutItemsRequest,
    RecommendRequest,
    RecordFeedbackRequest,
    SearchItemsRequest,
    SimilarItemsRequest,
)
from recmesh.v1.retrieval_pb2 import GetItemsRequest, GetItemsResponse, SearchRequest, SearchResponse
from recmesh.v1.retrieval_rpc import RETRIEVAL_GET_ITEMS, RETRIEVAL_SEARCH
from tests.gateway.fakes import DOWN
from tests.gateway.kit import Mesh
from tests.gateway.test_recommend import FILMS, MANY, ids


def mesh_without(*names: str, replicas: int = 1) -> Mesh:
    mesh = Mesh(FILMS, replicas=replicas)
    mesh.history("ripley", "alien")
    mesh.down(*names)
    return mesh


ASK = RecommendRequest(user_id="ripley", explain=True)


def test_without_feedback_the_popular_items_are_given() -> None:
    mesh = mesh_without("feedback")
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert ids(answer) == ["toys", "alien", "aliens", "amelie", "solaris"]
    assert answer.degraded == ["feedback"] and not answer.personalized
    assert mesh.away == ["feedback"]


def test_without_feedback_the_requests_history_serves() -> None:
    mesh = mesh_without("feedback")
    answer = mesh.answer(mesh.ask.recommend(RecommendRequest(history=[HistoryItem(item_id="alien")])))
    assert answer.personalized and answer.degraded == []


def test_without_embedding_the_sources_that_need_no_vector_answer() -> None:
    mesh = mesh_without("embedding")
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert ids(answer) == ["toys", "aliens", "amelie", "solaris"]
    assert answer.degraded == ["embedding"] and answer.personalized
    sources = {source for item in answer.items for source in item.sources}
    assert sources == {"popularity", "itemknn"}


def test_without_embedding_a_text_is_still_looked_for_in_titles() -> None:
    mesh = mesh_without("embedding")
    answer = mesh.answer(mesh.ask.search_items(SearchItemsRequest(query="Solaris")))
    assert answer.items[0].id == "solaris" and answer.degraded == ["embedding"]


@pytest.mark.parametrize("shard", [0, 1])
def test_without_a_shard_the_answer_is_partial_and_says_so(shard: int) -> None:
    mesh = mesh_without(str(shard))
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert set(ids(answer)) == set(mesh.retrieval[f"{1 - shard}-0"].films) - {"alien"}
    assert (answer.shards_total, answer.shards_answered) == (2, 1)
    assert answer.degraded == ["retrieval"]


def test_a_replica_that_is_down_degrades_nothing() -> None:
    mesh = mesh_without("0-0", "1-1", replicas=2)
    for _ in range(4):
        answer = mesh.answer(mesh.ask.recommend(ASK))
        assert answer.degraded == [] and answer.shards_answered == 2


def test_without_ranking_the_order_is_a_plain_one() -> None:
    mesh = mesh_without("ranking")
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert set(ids(answer)) == {"toys", "aliens", "amelie", "solaris"}
    assert ids(answer)[0] == "aliens"  # the best of two sources and the second of the third
    assert answer.degraded == ["ranking"]
    assert all(item.reasons and item.sources for item in answer.items)


def test_without_any_shard_the_call_fails_and_names_them() -> None:
    mesh = mesh_without("0", "1")
    error = mesh.error(mesh.ask.recommend(ASK))
    assert (error.status, error.pushback_ms) == (Status.UNAVAILABLE, -1)
    assert "shard 0 (0-0:1): UNAVAILABLE: connection refused" in error.message
    assert "shard 1 (1-0:1)" in error.message


def test_with_one_shard_alone_there_is_still_a_list() -> None:
    mesh = mesh_without("feedback", "embedding", "ranking", "0")
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert answer.items
    assert answer.degraded == ["ranking", "feedback", "retrieval"]


def test_stages_that_hang_leave_time_for_the_rest() -> None:
    mesh = mesh_without()
    for name in ("feedback", "embedding", "ranking", "0-0"):
        mesh.wires[name].hangs = True
    answer = mesh.answer(mesh.ask.recommend(ASK, Context(deadline=mesh.clock.seconds() + 2.0)))
    assert mesh.clock.seconds() < 2.0
    assert answer.items and answer.degraded == ["ranking", "feedback", "retrieval"]
    assert not mesh.clock.getDelayedCalls()


def test_a_ranking_that_does_the_work_of_two_is_waited_for() -> None:
    mesh = mesh_without()
    mesh.wires["ranking"].late = 0.45
    answer = mesh.answer(mesh.ask.recommend(ASK, Context(deadline=mesh.clock.seconds() + 1.0)))
    assert answer.degraded == [] and all(item.title for item in answer.items)


@pytest.mark.parametrize("status", [Status.INVALID_ARGUMENT, Status.FAILED_PRECONDITION])
@pytest.mark.parametrize("stage", ["feedback", "embedding", "0-0"])
def test_what_a_stage_has_against_a_request_is_no_absence(stage: str, status: Status) -> None:
    mesh = mesh_without()
    mesh.wires[stage].fails = RpcError(status, "history: too long")
    error = mesh.error(mesh.ask.recommend(ASK))
    assert (error.status, error.message) == (status, "history: too long")
    assert not mesh.away


def test_what_ranking_has_against_candidates_is_not_the_callers_fault() -> None:
    mesh = mesh_without()
    mesh.wires["ranking"].fails = RpcError(Status.INVALID_ARGUMENT, "sources[5].source: 'po`ularity' is none of ...")
    assert mesh.answer(mesh.ask.recommend(ASK)).degraded == ["ranking"]
    assert mesh.away == ["ranking"]


def test_a_version_that_ranking_has_not_is_no_absence() -> None:
    mesh = mesh_without()
    mesh.wires["ranking"].fails = RpcError(Status.FAILED_PRECONDITION, "no version 7")
    assert mesh.error(mesh.ask.recommend(ASK)).status is Status.FAILED_PRECONDITION


@pytest.mark.parametrize("status", [Status.INTERNAL, Status.UNKNOWN, Status.DEADLINE_EXCEEDED, Status.UNIMPLEMENTED])
def test_any_other_failure_is_an_absence(status: Status) -> None:
    mesh = mesh_without()
    mesh.wires["ranking"].fails = RpcError(status, "")
    assert mesh.answer(mesh.ask.recommend(ASK)).degraded == ["ranking"]


def test_a_shard_whose_columns_do_not_fit_is_left_out() -> None:
    mesh = mesh_without()
    fake = mesh.retrieval["0-0"]
    honest = fake.search

    async def lying(request: SearchRequest, context: Context) -> SearchResponse:
        answer = await honest(request, context)
        answer.sources[0].scores = answer.sources[0].scores[:-4]
        return answer

    mesh.wires["0-0"].handlers.add(RETRIEVAL_SEARCH, lying)
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert answer.degraded == ["retrieval"] and answer.shards_answered == 1


@pytest.mark.parametrize(
    ("column", "begins"),
    [("order", pack_ints([99])), ("order", pack_ints([-1])), ("order", b"\0" * 5), ("scores", b"\0" * 8)],
)
def test_an_order_that_does_not_fit_the_candidates_is_none(column: str, begins: bytes) -> None:
    """The first four bytes of a column become others, or more."""
    mesh = mesh_without()
    honest = mesh.ranking.rank

    async def lying(request: RankRequest, context: Context) -> RankResponse:
        answer = await honest(request, context)
        setattr(answer, column, begins + getattr(answer, column)[4:])
        return answer

    mesh.wires["ranking"].handlers.add(RANKING_RANK, lying)
    answer = mesh.answer(mesh.ask.recommend(ASK))
    assert answer.degraded == ["ranking"] and answer.items


def test_titles_that_cannot_be_had_are_left_empty() -> None:
    mesh = Mesh(MANY)

    async def lost(request: GetItemsRequest, context: Context) -> GetItemsResponse:
        raise DOWN

    mesh.wires["0-0"].handlers.add(RETRIEVAL_GET_ITEMS, lost)
    answer = mesh.answer(mesh.ask.recommend(RecommendRequest(user_id="nobody", explain=True)))
    assert len(answer.items) == 10 and answer.degraded == ["retrieval"]
    assert {bool(item.title) for item in answer.items} == {True, False}


def test_items_similar_to_one_whose_shard_is_away() -> None:
    owner = "0" if "alien" in Mesh(FILMS).retrieval["0-0"].films else "1"
    mesh = mesh_without(owner)
    answer = mesh.answer(mesh.ask.similar_items(SimilarItemsRequest(item_id="alien")))
    assert answer.items and answer.degraded == ["retrieval"]
    assert answer.title == ""


def test_a_cancelled_caller_cancels_every_stage_under_way() -> None:
    mesh = mesh_without()
    for name in ("0-0", "1-0"):
        mesh.wires[name].hangs = True
    work = mesh.start(mesh.ask.recommend(ASK, Context(deadline=2.0)))
    assert sum(replica.in_flight for backend in mesh.upstreams.backends for replica in backend.replicas) == 2
    work.cancel()
    assert sum(replica.in_flight for backend in mesh.upstreams.backends for replica in backend.replicas) == 0
    assert not mesh.clock.getDelayedCalls()


STAGES = ("ranking", "embedding", "feedback")
SOME = [down for size in (1, 2, 3) for down in itertools.combinations(STAGES, size)]


@pytest.mark.parametrize("shard", ["", "0", "1"])
@pytest.mark.parametrize("down", [(), *SOME])
@pytest.mark.parametrize("asks", ["of the stored history", "of a given history", "with a text"])
def test_with_any_stages_away_there_is_a_list_that_says_so_in_the_declared_order(
    asks: str, down: tuple[str, ...], shard: str
) -> None:
    mesh = mesh_without(*down, *([shard] if shard else []))
    request = RecommendRequest(user_id="ripley", explain=True)
    asked = {"ranking", "feedback", "embedding"}
    if asks == "of a given history":
        request.history.add(item_id="alien")
        asked.remove("feedback")
    elif asks == "with a text":
        request.query_text = "Solaris"
    elif "feedback" in down:
        asked.remove("embedding")  # nothing is known of the user that could be embedded
    answer = mesh.answer(mesh.ask.recommend(request))
    lost = asked & set(down) | ({"retrieval"} if shard else set())
    assert answer.degraded == [loss.name for loss in DECLARED if loss.name in lost]
    assert (answer.shards_total, answer.shards_answered) == (2, 1 if shard else 2)
    assert answer.items and all(item.sources and item.reasons for item in answer.items)
    assert not mesh.clock.getDelayedCalls()


@pytest.mark.parametrize("shard", ["", "0", "1"])
@pytest.mark.parametrize("down", [each for each in SOME if "feedback" not in each])
def test_similar_items_and_a_search_have_a_list_as_well(down: tuple[str, ...], shard: str) -> None:
    mesh = mesh_without(*down, *([shard] if shard else []))
    similar = mesh.answer(mesh.ask.similar_items(SimilarItemsRequest(item_id="alien")))
    found = mesh.answer(mesh.ask.search_items(SearchItemsRequest(query="a film about space")))
    retrieval = ["retrieval"] if shard else []
    assert similar.items and similar.degraded == [each for each in down if each == "ranking"] + retrieval
    assert found.items or "embedding" not in down
    assert found.degraded == [*down, *retrieval]


def test_a_search_that_matches_nothing_stays_empty_while_embedding_answers() -> None:
    mesh = mesh_without("ranking")
    answer = mesh.answer(mesh.ask.search_items(SearchItemsRequest(query="nothing like it")))
    assert not answer.items and answer.degraded == ["ranking"]


def test_the_declared_order_is_in_the_page_of_operations() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    table = [f"| `{loss.name}` | {loss.when} | {loss.instead} |" for loss in DECLARED]
    assert "\n".join(table) in page


FULL = RpcError(Status.RESOURCE_EXHAUSTED, "20,000 rows wait to be written to disk already", pushback_ms=100)


def test_a_store_without_room_says_so_itself_and_when_to_come_back() -> None:
    mesh = mesh_without()
    mesh.wires["feedback"].fails = FULL
    event = Event(user_id="u", item_id="alien", event_id="e")
    recorded = mesh.error(mesh.ask.record_feedback(RecordFeedbackRequest(events=[event]), Context(0.05)))
    deleted = mesh.error(mesh.ask.delete_user(DeleteUserRequest(user_id="u"), Context(0.05)))
    for error in (recorded, deleted):  # there is no time for another attempt: what the store says is passed on
        assert (error.status, error.pushback_ms) == (Status.RESOURCE_EXHAUSTED, 100)
        assert "20,000 rows" in error.message


def test_a_catalogue_without_room_says_so_itself() -> None:
    mesh = mesh_without()
    mesh.wires["0-0"].fails = mesh.wires["1-0"].fails = FULL
    error = mesh.error(mesh.ask.put_items(PutItemsRequest(items=[Item(id="new")]), Context(0.05)))
    assert (error.status, error.pushback_ms) == (Status.RESOURCE_EXHAUSTED, 100)


def test_when_the_attempts_are_spent_the_caller_is_to_add_none() -> None:
    mesh = mesh_without()
    mesh.wires["feedback"].fails = FULL
    event = Event(user_id="u", item_id="alien", event_id="e")
    error = mesh.error(mesh.ask.record_feedback(RecordFeedbackRequest(events=[event])))
    assert (error.status, error.pushback_ms) == (Status.RESOURCE_EXHAUSTED, -1)
