"""RecordFeedback, GetHistory, DeleteUser."""

from __future__ import annotations

import pytest

from recmesh.rpc import Status
from recmesh.v1.common_pb2 import Event
from recmesh.v1.feedback_pb2 import HistoryResponse
from recmesh.v1.recommender_pb2 import DeleteUserRequest, GetHistoryRequest, RecordFeedbackRequest
from tests.gateway.kit import NOW, Mesh
from tests.gateway.test_recommend import FILMS


def test_events_are_completed_with_id_time_and_type() -> None:
    mesh = Mesh(FILMS)
    bare = Event(user_id="u", item_id="alien")
    whole = Event(event_id="e1", user_id="u", item_id="toys", type="rating", value=0.0, timestamp=5.0, text="dull")
    answer = mesh.answer(mesh.ask.record_feedback(RecordFeedbackRequest(events=[bare, whole, bare])))
    first, second, third = mesh.feedback.events[0].events
    assert (first.timestamp, first.type) == (NOW, "view") and not first.HasField("value")
    assert len(first.event_id) == 36 and first.event_id != third.event_id
    assert second == whole
    assert list(answer.event_ids) == [first.event_id, "e1", third.event_id]
    assert (answer.recorded, answer.duplicates) == (3, 0)


def test_without_feedback_nothing_is_said_to_be_recorded() -> None:
    mesh = Mesh(FILMS)
    mesh.down("feedback")
    request = RecordFeedbackRequest(events=[Event(user_id="u", item_id="alien")])
    error = mesh.error(mesh.ask.record_feedback(request))
    assert (error.status, error.pushback_ms) == (Status.UNAVAILABLE, -1)
    assert "feedback is away: UNAVAILABLE: connection refused" in error.message


def test_feedback_is_recorded_also_without_a_bundle_version() -> None:
    mesh = Mesh(FILMS)
    mesh.versions.current = ""
    request = RecordFeedbackRequest(events=[Event(user_id="u", item_id="alien")])
    assert mesh.answer(mesh.ask.record_feedback(request)).recorded == 1


def past(*item_ids: str) -> HistoryResponse:
    return HistoryResponse(events=[Event(user_id="u", item_id=each, type="like") for each in item_ids], known=True)


def test_a_history_comes_with_titles() -> None:
    mesh = Mesh(FILMS)
    mesh.feedback.past["u"] = past("toys", "a film nobody has", "alien")
    answer = mesh.answer(mesh.ask.get_history(GetHistoryRequest(user_id="u")))
    assert [(each.event.item_id, each.title) for each in answer.events] == [
        ("toys", "Toy Story"),
        ("a film nobody has", ""),
        ("alien", "Alien"),
    ]
    assert answer.known and answer.degraded == []


@pytest.mark.parametrize(("asked", "wanted"), [(None, 50), (7, 7)])
def test_as_many_events_are_read_as_are_asked_for(asked: int | None, wanted: int) -> None:
    mesh = Mesh(FILMS)
    mesh.answer(mesh.ask.get_history(GetHistoryRequest(user_id="u", count=asked)))
    [request] = mesh.feedback.requests
    assert (request.event_limit, request.limit, request.bundle_version) == (wanted, 1, "v1")


def test_an_unknown_user_has_an_empty_history() -> None:
    mesh = Mesh(FILMS)
    answer = mesh.answer(mesh.ask.get_history(GetHistoryRequest(user_id="nobody")))
    assert not answer.events and not answer.known


def test_titles_of_a_shard_that_is_away_are_missing_and_that_is_said() -> None:
    mesh = Mesh(FILMS)
    mesh.feedback.past["u"] = past(*[film.id for film in FILMS])
    mesh.down("0")
    answer = mesh.answer(mesh.ask.get_history(GetHistoryRequest(user_id="u")))
    assert answer.degraded == ["retrieval"]
    assert {bool(each.title) for each in answer.events} == {True, False}


def test_a_history_cannot_be_read_without_feedback() -> None:
    mesh = Mesh(FILMS)
    mesh.down("feedback")
    error = mesh.error(mesh.ask.get_history(GetHistoryRequest(user_id="u")))
    assert error.status is Status.UNAVAILABLE and "feedback" in error.message


def test_a_user_is_deleted() -> None:
    mesh = Mesh(FILMS)
    mesh.history("u", "alien", "toys")
    assert mesh.answer(mesh.ask.delete_user(DeleteUserRequest(user_id="u"))).events_deleted == 2
    mesh.down("feedback")
    assert mesh.error(mesh.ask.delete_user(DeleteUserRequest(user_id="u"))).status is Status.UNAVAILABLE
