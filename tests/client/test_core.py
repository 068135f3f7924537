"""What the calls of the SDK send, give back and raise, whatever runs them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from recmesh.client import Event, Item, RpcError, Status, core
from recmesh.client.core import Client
from recmesh.client.values import AttributeValue
from recmesh.rpc.blocking import run
from recmesh.v1 import recommender_pb2 as pb
from tests.client.bench import Bench
from tests.client.fake import FakeClock, FakeEndpoint, late, lost, refused

NO_ID: Any = 5


def test_recommend_sends_all_it_is_given() -> None:
    bench = Bench(tenant="shop")
    run(
        bench.client.recommend(
            "42",
            history=["1", ("2", -1.0)],
            count=5,
            offset=10,
            filter="year > 1990",
            exclude=["7", "8"],
            exclude_seen=False,
            query="space",
            diversity=0.25,
            explain=True,
            bundle_version="b1",
        )
    )
    assert bench.requests == [
        pb.RecommendRequest(
            user_id="42",
            history=[pb.HistoryItem(item_id="1"), pb.HistoryItem(item_id="2", weight=-1.0)],
            count=5,
            offset=10,
            filter="year > 1990",
            exclude_item_ids=["7", "8"],
            exclude_seen=False,
            query_text="space",
            diversity=0.25,
            explain=True,
            bundle_version="b1",
            tenant="shop",
        )
    ]


def test_recommend_gives_plain_values() -> None:
    answer = run(Bench().client.recommend("42", explain=True))
    assert [(item.id, item.score, item.sources) for item in answer.items] == [
        ("1214", 0.75, ("itemknn", "ials")),
        ("4973", 0.5, ("content",)),
    ]
    assert answer.items[0].title == "Alien (1979)"
    assert answer.items[0].reasons[0].text == "because you liked Aliens (1986)"
    assert (answer.personalized, answer.variant, answer.bundle_version, answer.impression_id) == (True, "b", "b1", "i1")
    assert answer.complete


def test_an_answer_says_what_it_had_to_do_without() -> None:
    answer = run(Bench().client.recommend("partial"))
    assert not answer.complete and not answer.personalized
    assert (answer.degraded, answer.shards_answered, answer.shards_total) == (("ranking",), 1, 2)


@pytest.mark.parametrize("field", ["exclude", "history"])
def test_a_lone_id_is_a_list_of_one(field: str) -> None:
    bench = Bench()
    run(bench.client.recommend("42", **{field: "1214"}))  # type: ignore[arg-type]
    request = bench.requests[0]
    assert [*request.exclude_item_ids, *(each.item_id for each in request.history)] == ["1214"]


def test_similar_and_search_send_all_they_are_given() -> None:
    bench = Bench()
    options: dict[str, Any] = {
        "count": 3,
        "offset": 1,
        "filter": "year > 1990",
        "exclude": ["7"],
        "explain": True,
        "bundle_version": "b1",
    }
    similar = run(bench.client.similar("1214", **options))
    found = run(bench.client.search("space opera", **options))
    sent = {("exclude_item_ids" if name == "exclude" else name): value for name, value in options.items()}
    assert bench.requests == [
        pb.SimilarItemsRequest(item_id="1214", **sent),
        pb.SearchItemsRequest(query="space opera", **sent),
    ]
    assert similar.title == "Alien (1979)" and len(similar.items) == len(found.items) == 2


def test_an_event_keeps_its_id_however_often_it_is_recorded() -> None:
    bench = Bench([lost()])
    event = Event("42", "1214", "like", value=5.0, timestamp=1.5, text="good", impression_id="i1")
    first, second = run(bench.client.record(event)), run(bench.client.record([event]))
    assert bench.attempts == [3]
    assert first == second and first.event_ids == (event.event_id,) and len(event.event_id) == 32
    sent = bench.requests[0].events[0]
    assert (sent.user_id, sent.item_id, sent.type, sent.value) == ("42", "1214", "like", 5.0)
    assert (sent.timestamp, sent.text, sent.impression_id) == (1.5, "good", "i1")


def test_two_events_differ_though_they_say_the_same() -> None:
    assert Event("42", "1214").event_id != Event("42", "1214").event_id


def test_an_event_without_a_value_sends_none() -> None:
    bench = Bench()
    run(bench.client.record([Event("42", "1"), Event("42", "2", value=0.0)]))
    assert [event.HasField("value") for event in bench.requests[0].events] == [False, True]


def test_many_events_go_in_several_calls() -> None:
    bench = Bench()
    result = run(bench.client.record(Event("42", str(number)) for number in range(2_500)))
    assert [len(request.events) for request in bench.requests] == [1_000, 1_000, 500]
    assert result.recorded == len(result.event_ids) == 2_500


def test_long_texts_go_in_calls_of_bounded_size() -> None:
    bench = Bench()
    items = [Item(str(number), text="x" * 300_000) for number in range(7)]
    result = run(bench.client.put_items(items))
    assert [len(request.items) for request in bench.requests] == [3, 3, 1]
    assert (result.stored, result.replicas_asked, result.replicas_acknowledged) == (7, 12, 9)


def test_what_is_larger_than_a_call_goes_alone() -> None:
    bench = Bench()
    run(bench.client.put_items([Item("1", text="x" * core.BYTES_A_CALL), Item("2")]))
    assert [len(request.items) for request in bench.requests] == [1, 1]


def test_an_empty_request_is_left_for_the_mesh_to_judge() -> None:
    bench = Bench()
    run(bench.client.record([]))
    run(bench.client.put_items([]))
    run(bench.client.delete_items([]))
    assert len(bench.requests) == 3


def test_put_items_sends_attributes_of_every_kind() -> None:
    bench = Bench()
    attributes: dict[str, AttributeValue] = {
        "year": 1979,
        "tags": ("space", "horror"),
        "seen": True,
        "country": "UK",
        "sequel": None,
    }
    run(bench.client.put_items(Item("1", "Alien", "In space", ["Horror"], attributes, 5.0)))
    item = bench.requests[0].items[0]
    assert (item.id, item.title, item.text, list(item.categories), item.created) == (
        "1",
        "Alien",
        "In space",
        ["Horror"],
        5.0,
    )
    sent = item.attributes
    assert (sent["year"], list(sent["tags"]), sent["seen"], sent["country"], sent["sequel"]) == (
        1979.0,
        ["space", "horror"],
        True,
        "UK",
        None,
    )


def test_delete_items_takes_one_id_or_many() -> None:
    bench = Bench()
    assert run(bench.client.delete_items("1214")).deleted == 1
    run(bench.client.delete_items(str(number) for number in range(1_001)))
    assert [len(request.item_ids) for request in bench.requests] == [1, 1_000, 1]


def test_a_user_is_deleted_and_remembered_no_more() -> None:
    bench = Bench(tenant="shop")
    assert run(bench.client.delete_user("42")).events_deleted == 12
    assert bench.requests == [pb.DeleteUserRequest(user_id="42", tenant="shop")]


def test_history_gives_events_with_titles() -> None:
    bench = Bench()
    history = run(bench.client.history("42", count=3))
    assert bench.requests == [pb.GetHistoryRequest(user_id="42", count=3)]
    assert history.known and history.events[0].title == "Alien (1979)"
    assert history.events[0].event == Event("42", "1214", "rating", 4.5, 86_400.0, event_id="e1")
    unknown = run(bench.client.history("43"))
    assert not unknown.known and unknown.events == ()


def test_status_gives_every_process() -> None:
    status = run(Bench().client.status())
    assert (status.serving, status.bundle_version, status.uptime_seconds, status.build) == (True, "b1", 90.0, "0.1.0")
    (upstream,) = status.upstreams
    (endpoint,) = upstream.endpoints
    assert (upstream.service, upstream.shard, endpoint.calls, endpoint.failures) == ("retrieval", 1, 1_200, 1)
    assert (endpoint.address, endpoint.state, endpoint.bundle_versions) == ("127.0.0.1:7200", "ready", ("b1",))
    assert (endpoint.id, endpoint.health, endpoint.cause) == ("retrieval-1-0", "probation", "its time is over")
    assert (endpoint.ejections, endpoint.cost_seconds) == (2, 0.0125)
    assert (upstream.retry_budget, upstream.in_flight, upstream.limit, upstream.queued) == (10.2, 3, 1_024, 4)
    assert (upstream.throttle, upstream.hedges_sent, upstream.hedges_won, upstream.panic) == (0.25, 20, 5, True)
    assert status.quality == 0.75


CALLS: list[Callable[[Client, float | None], Any]] = [
    lambda client, timeout: client.recommend("42", timeout=timeout),
    lambda client, timeout: client.similar("1214", timeout=timeout),
    lambda client, timeout: client.search("alien", timeout=timeout),
    lambda client, timeout: client.record(Event("42", "1214"), timeout=timeout),
    lambda client, timeout: client.put_items(Item("1"), timeout=timeout),
    lambda client, timeout: client.delete_items("1", timeout=timeout),
    lambda client, timeout: client.delete_user("42", timeout=timeout),
    lambda client, timeout: client.history("42", timeout=timeout),
    lambda client, timeout: client.status(timeout=timeout),
]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_has_a_deadline_and_may_have_its_own(call: Callable[[Client, float | None], Any]) -> None:
    bench = Bench(timeout=3.0)
    run(call(bench.client, None))
    run(call(bench.client, 0.5))
    assert [context.deadline for context in bench.endpoints[0].contexts] == [103.0, 100.5]


def test_an_error_of_the_mesh_arrives_as_it_is_and_is_not_repeated() -> None:
    bench = Bench()
    with pytest.raises(RpcError) as caught:
        run(bench.client.similar("no such item"))
    assert (caught.value.status, caught.value.message) == (
        Status.NOT_FOUND,
        "no item 'no such item' is in the catalogue",
    )
    assert bench.attempts == [1]


@pytest.mark.parametrize("call", CALLS)
def test_a_lost_connection_is_tried_again(call: Callable[[Client, float | None], Any]) -> None:
    bench = Bench([lost()])
    run(call(bench.client, None))
    assert bench.attempts == [2]


def test_a_gateway_that_is_away_is_left_out_for_another() -> None:
    bench = Bench([refused()], [])
    assert run(bench.client.status()).serving
    assert bench.attempts == [1, 1]
    assert bench.clock.now == 100.0, "it asks the other one at once"


def test_a_gateway_that_hangs_leaves_time_for_another() -> None:
    bench = Bench([late()], [])
    run(bench.client.status())
    first, second = (endpoint.contexts[0].deadline for endpoint in bench.endpoints)
    assert (first, second) == (101.0, 102.0)


def test_an_attempt_that_reached_a_gateway_says_more_than_one_that_did_not() -> None:
    bench = Bench([late()] * 3, [refused()] * 3)
    with pytest.raises(RpcError) as caught:
        run(bench.client.status())
    assert bench.attempts == [2, 1], "the last attempt is made where there was a gateway"
    assert caught.value.status is Status.DEADLINE_EXCEEDED
    bench = Bench([lost()], [refused()] * 3, [refused()] * 3)
    with pytest.raises(RpcError, match="connection lost"):
        run(bench.client.status())


def test_where_no_gateway_is_the_error_says_so_and_what_to_do() -> None:
    bench = Bench([refused()] * 3, [refused()] * 3)
    with pytest.raises(RpcError) as caught:
        run(bench.client.recommend("42"))
    assert caught.value.status is Status.UNAVAILABLE
    assert caught.value.message == (
        "no gateway can be reached at gateway:0 or gateway:1 (connection refused):"
        " start a mesh there, or give the address of one that runs"
    )


def test_a_client_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the address of a gateway"):
        Client([], FakeEndpoint, FakeClock(), random.Random(1), timeout=1.0, tenant="")


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'localhost' is no address; write host:port"):
        Client(["localhost"], FakeEndpoint, FakeClock(), random.Random(1), timeout=1.0, tenant="")


def test_an_address_given_twice_is_one_gateway() -> None:
    made: list[str] = []

    def connect(address: str) -> FakeEndpoint:
        made.append(address)
        return FakeEndpoint(address)

    Client(["a:1", "b:1", "a:1"], connect, FakeClock(), random.Random(1), timeout=1.0, tenant="")
    assert made == ["a:1", "b:1"]


def test_close_ends_every_connection() -> None:
    bench = Bench([], [])
    run(bench.client.close())
    assert all(endpoint.closed for endpoint in bench.endpoints)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 10**10}, "recommend: count is 10,000,000,000, which no request can hold"),
        ({"user_id": "\ud800"}, r"recommend: user_id is '\ud800', of type str: 'utf-8' codec"),
        ({"exclude": ["\ud800"]}, r"recommend: exclude_item_ids is ['\ud800'], of type list: 'utf-8' codec"),
        ({"history": ["1", "\ud800"]}, r"recommend: history[1].item_id is '\ud800', of type str: 'utf-8' codec"),
        ({"diversity": 10**400}, "recommend: diversity is 1000"),
        ({"timeout": math.nan}, "the call: timeout is nan; it must be a number of seconds"),
    ],
)
def test_what_no_message_can_hold_is_an_invalid_argument(options: dict[str, Any], message: str) -> None:
    bench = Bench()
    with pytest.raises(RpcError) as caught:
        run(bench.client.recommend(**({"user_id": "42"} | options)))
    assert caught.value.status is Status.INVALID_ARGUMENT and caught.value.message.startswith(message)
    assert bench.attempts == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda client: client.recommend(42), "recommend: user_id is 42, of type int: ids and texts are str"),
        (lambda client: client.recommend("42", count="5"), "recommend: count is '5', of type str"),
        (lambda client: client.recommend("42", history=1214), "recommend: history is 1214, of type int: it must"),
        (lambda client: client.recommend("42", history=["1", 2]), "recommend: history[1] is 2, of type int: it must"),
        (lambda client: client.recommend("42", history=[("1", "x")]), "recommend: history[0].weight is 'x', of type"),
        (lambda client: client.recommend("42", exclude=["1", 2]), "recommend: exclude[1] is 2, of type int: it must"),
        (lambda client: client.recommend("42", exclude=5), "recommend: exclude is 5, of type int: it must be of str"),
        (lambda client: client.recommend("42", timeout="2"), "the call: timeout is '2', of type str: it must be a"),
        (lambda client: client.record("like"), "record: events[0] is 'l', of type str: it must be of Event"),
        (lambda client: client.record(None), "record: events is None, of type NoneType: it must be of Event"),
        (
            lambda client: client.record([Event("1", "2"), Event("1", NO_ID)]),
            "record: events[1].item_id is 5",
        ),
        (lambda client: client.put_items(["tt1"]), "put_items: items[0] is 'tt1', of type str: it must be of Item"),
        (
            lambda client: client.put_items(Item("1", categories=[NO_ID])),
            "put_items: items[0].categories[0] is 5",
        ),
        (lambda client: client.delete_items([5]), "delete_items: item_ids[0] is 5, of type int: it must be of str"),
        (lambda client: client.delete_user(5), "delete_user: user_id is 5, of type int"),
        (lambda client: client.history(5), "history: user_id is 5, of type int"),
        (lambda client: client.similar(5), "similar: item_id is 5, of type int"),
        (lambda client: client.search(5), "search: query is 5, of type int"),
    ],
)
def test_a_wrong_type_is_a_type_error_that_names_the_field(call: Callable[[Client], Any], message: str) -> None:
    bench = Bench()
    with pytest.raises(TypeError) as caught:
        run(call(bench.client))
    assert str(caught.value).startswith(message)
    assert bench.attempts == [0]


@pytest.mark.parametrize("value", [b"x", object(), 10**400, "\ud800"])
def test_an_attribute_of_another_kind_is_named(value: Any) -> None:
    with pytest.raises(RpcError, match=r"put_items: items\[1\]\.attributes\['year'\] is .*: it must be a text"):
        run(Bench().client.put_items([Item("a"), Item("b", attributes={"year": value})]))


@pytest.mark.parametrize(("timeout", "error"), [("2", TypeError), (math.nan, ValueError)])
def test_a_timeout_that_is_no_number_makes_no_client(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^timeout is .*; it must|^timeout is .*: it must"):
        Client(["a:1"], FakeEndpoint, FakeClock(), random.Random(1), timeout=timeout, tenant="")
