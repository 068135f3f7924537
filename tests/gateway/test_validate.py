"""Every field of every request: what is allowed passes, anything else is named."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from recmesh.rpc import RpcError, Status
from recmesh.v1 import recommender_pb2 as pb
from recmesh.v1.common_pb2 import Event, Item
from tests.gateway.kit import Mesh
from tests.gateway.test_recommend import FILMS

MESH = Mesh(FILMS)
LONG = "x" * 257
METHODS: dict[type, Any] = {
    pb.RecommendRequest: MESH.ask.recommend,
    pb.SimilarItemsRequest: MESH.ask.similar_items,
    pb.SearchItemsRequest: MESH.ask.search_items,
    pb.RecordFeedbackRequest: MESH.ask.record_feedback,
    pb.PutItemsRequest: MESH.ask.put_items,
    pb.DeleteItemsRequest: MESH.ask.delete_items,
    pb.DeleteUserRequest: MESH.ask.delete_user,
    pb.GetHistoryRequest: MESH.ask.get_history,
}


def ask(request: Any) -> Any:
    return MESH.answer(METHODS[type(request)](request))


def refusal(request: Any) -> RpcError:
    return MESH.error(METHODS[type(request)](request))


def recommend(**fields: Any) -> pb.RecommendRequest:
    return pb.RecommendRequest(**{"user_id": "u", **fields})


def event(**fields: Any) -> pb.RecordFeedbackRequest:
    return pb.RecordFeedbackRequest(events=[Event(**{"user_id": "u", "item_id": "i", **fields})])


def item(**fields: Any) -> pb.PutItemsRequest:
    return pb.PutItemsRequest(items=[Item(**{"id": "i", **fields})])


def attributes(value: Any) -> Struct:
    fields = Struct()
    fields.update({"note": value})
    return fields


WRONG: list[tuple[Any, str]] = [
    (recommend(user_id=""), "user_id is empty; give a user_id of 1 to 256 bytes, or a history"),
    (recommend(user_id=LONG), "user_id is 257 bytes long; it must have 1 to 256 bytes of UTF-8"),
    (recommend(user_id="é" * 129), "user_id is 258 bytes long"),
    (recommend(count=0), "count is 0; it must be 1 to 1,000"),
    (recommend(count=-1), "count is -1; it must be 1 to 1,000"),
    (recommend(count=10**9), "count is 1,000,000,000; it must be 1 to 1,000"),
    (recommend(offset=-1), "offset is -1 with a count of 10; it must be at least 0, and offset + count at most 1,000"),
    (recommend(offset=991), "offset is 991 with a count of 10"),
    (recommend(offset=1, count=1000), "offset is 1 with a count of 1,000"),
    (recommend(offset=2**31 - 1), "offset is 2,147,483,647"),
    (recommend(diversity=-0.1), "diversity is -0.1; it must be 0.0 to 1.0"),
    (recommend(diversity=1.5), "diversity is 1.5"),
    (recommend(diversity=math.nan), "diversity is nan"),
    (recommend(query_text="x" * 4097), "query_text is 4,097 bytes long; at most 4,096 are allowed"),
    (recommend(filter="x" * 16_385), "filter is 16,385 bytes long"),
    (recommend(exclude_item_ids=["a", ""]), "exclude_item_ids[1] is empty; it must have 1 to 256 bytes of UTF-8"),
    (recommend(exclude_item_ids=[LONG]), "exclude_item_ids[0] is 257 bytes long"),
    (recommend(exclude_item_ids=["a"] * 10_001), "exclude_item_ids has 10,001 entries; at most 10,000 are allowed"),
    (recommend(history=[pb.HistoryItem()]), "history[0].item_id is empty"),
    (recommend(history=[pb.HistoryItem(item_id=LONG)]), "history[0].item_id is 257 bytes long"),
    (recommend(history=[pb.HistoryItem(item_id="a", weight=math.inf)]), "history[0].weight is inf"),
    (recommend(history=[pb.HistoryItem(item_id="a", timestamp=-1)]), "history[0].timestamp is -1.0; it must be a Unix"),
    (recommend(history=[pb.HistoryItem(item_id="a", timestamp=math.nan)]), "history[0].timestamp is nan"),
    (recommend(history=[pb.HistoryItem(item_id="a")] * 10_001), "history has 10,001 entries"),
    (pb.SimilarItemsRequest(), "item_id is empty"),
    (pb.SimilarItemsRequest(item_id=LONG), "item_id is 257 bytes long"),
    (pb.SimilarItemsRequest(item_id="alien", count=0), "count is 0"),
    (pb.SimilarItemsRequest(item_id="alien", offset=-5), "offset is -5"),
    (pb.SimilarItemsRequest(item_id="alien", exclude_item_ids=[""]), "exclude_item_ids[0] is empty"),
    (pb.SearchItemsRequest(), "query is empty; it must have a word to look for"),
    (pb.SearchItemsRequest(query=" \n"), "query is empty"),
    (pb.SearchItemsRequest(query="x" * 4097), "query is 4,097 bytes long"),
    (pb.SearchItemsRequest(query="x", count=1001), "count is 1,001"),
    (pb.SearchItemsRequest(query="x", filter="x" * 16_385), "filter is 16,385 bytes long"),
    (event(user_id=""), "events[0].user_id is empty"),
    (event(item_id=""), "events[0].item_id is empty"),
    (event(user_id=LONG), "events[0].user_id is 257 bytes long"),
    (event(item_id=LONG), "events[0].item_id is 257 bytes long"),
    (event(event_id=LONG), "events[0].event_id is 257 bytes long"),
    (event(type=LONG), "events[0].type is 257 bytes long"),
    (event(impression_id=LONG), "events[0].impression_id is 257 bytes long"),
    (event(text="x" * 65_537), "events[0].text is 65,537 bytes long"),
    (event(value=math.nan), "events[0].value is nan; it must be a finite number"),
    (event(timestamp=-1), "events[0].timestamp is -1.0"),
    (event(timestamp=math.inf), "events[0].timestamp is inf"),
    (pb.RecordFeedbackRequest(events=[Event(user_id="u", item_id="i")] * 1_001), "events has 1,001 entries"),
    (item(id=""), "items[0].id is empty"),
    (item(id=LONG), "items[0].id is 257 bytes long"),
    (item(title="x" * 4_097), "items[0].title is 4,097 bytes long"),
    (item(text="x" * 65_537), "items[0].text is 65,537 bytes long"),
    (item(categories=[""]), "items[0].categories[0] is empty"),
    (item(categories=["c"] * 101), "items[0].categories has 101 entries"),
    (item(created=-1), "items[0].created is -1.0"),
    (item(attributes=attributes("x" * 20_000)), "items[0].attributes take 20,0"),
    (item(attributes=attributes({"a": 1})), "items[0].attributes['note'] is a table; give each of its parts"),
    (item(attributes=attributes(["a", 1])), "items[0].attributes['note'] is a list with other things than texts"),
    (item(attributes=attributes(math.nan)), "items[0].attributes['note'] is nan; it must be a finite number"),
    (pb.PutItemsRequest(items=[Item(id="i")] * 2), "items[1].id 'i' is that of items[0] too; put an item once"),
    (pb.PutItemsRequest(items=[Item(id=str(i)) for i in range(101)]), "items has 101 entries"),
    (pb.DeleteItemsRequest(item_ids=["a", ""]), "item_ids[1] is empty"),
    (pb.DeleteItemsRequest(item_ids=["a"] * 1_001), "item_ids has 1,001 entries"),
    (pb.DeleteUserRequest(), "user_id is empty"),
    (pb.DeleteUserRequest(user_id=LONG), "user_id is 257 bytes long"),
    (pb.GetHistoryRequest(), "user_id is empty"),
    (pb.GetHistoryRequest(user_id="u", count=0), "count is 0; it must be 1 to 1,000"),
    (pb.GetHistoryRequest(user_id="u", count=1_001), "count is 1,001"),
]


@pytest.mark.parametrize(("request_", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_not_allowed_is_refused_by_name(request_: Any, message: str) -> None:
    error = refusal(request_)
    assert error.status is Status.INVALID_ARGUMENT
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    "request_",
    [
        recommend(count=1),
        recommend(count=1000),
        recommend(offset=999, count=1),
        recommend(diversity=1.0),
        recommend(query_text="x" * 4096),
        recommend(exclude_item_ids=["a"] * 10_000),
        recommend(history=[pb.HistoryItem(item_id="a", weight=-1.0)]),
        pb.SearchItemsRequest(query="x" * 4096, count=1000),
        event(value=-1.0, timestamp=1e9, text="x" * 65_536, type=""),
        pb.RecordFeedbackRequest(),
        pb.RecordFeedbackRequest(events=[Event(user_id="u", item_id="i")] * 1_000),
        item(title="x" * 4_096, text="x" * 65_536, categories=["c"] * 100),
        *(item(attributes=attributes(value)) for value in ("x", 1.5, True, None, ["a", "b"], [])),
        pb.GetHistoryRequest(user_id="u", count=1000),
    ],
)
def test_the_limits_themselves_are_allowed(request_: Any) -> None:
    ask(request_)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64))
def test_any_text_of_up_to_256_bytes_is_an_id(text: str) -> None:
    assert len(text.encode()) <= 256
    ask(recommend(user_id=text))
    ask(recommend(exclude_item_ids=[text]))
    ask(pb.DeleteItemsRequest(item_ids=[text]))
    assert ask(event(user_id=text, item_id=text, event_id=text)).event_ids == [text]


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_a_page_is_either_answered_or_refused(count: int, offset: int) -> None:
    request = recommend(count=count, offset=offset)
    if 1 <= count <= 1000 and 0 <= offset <= 1000 - count:
        assert len(ask(request).items) <= count
    else:
        assert refusal(request).status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize("kind", METHODS)
def test_another_tenant_is_not_found(kind: type) -> None:
    error = refusal(kind(tenant="acme"))
    assert error.status is Status.NOT_FOUND
    assert error.message == "there is no tenant 'acme'; the only one is \"default\""


def test_the_default_tenant_may_be_named() -> None:
    assert ask(recommend(tenant="default")).items


def test_a_long_tenant_is_shown_in_part() -> None:
    assert len(refusal(recommend(tenant="x" * 10_000)).message) < 150
