"""Between the values of the SDK and the messages of the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypedDict

from recmesh.client import values
from recmesh.rpc import Origin, Processed, RpcError, Status
from recmesh.v1 import common_pb2
from recmesh.v1 import recommender_pb2 as pb


@contextmanager
def request(method: str) -> Iterator[None]:
    """Around the making of a request: Protobuf's own errors name neither the call nor a remedy."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{method}: {error} (ids and texts are str, counts int, weights and times float)") from error
    except (ValueError, OverflowError) as error:
        message = f"{method}: {error}"
        raise RpcError(Status.INVALID_ARGUMENT, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT) from error


def number(name: str, given: int) -> int:
    """What is within bounds the mesh decides; what no message can hold is told here."""
    if not -(2**31) <= given < 2**31:
        raise ValueError(f"{name} is {given:,}, which no request can hold")
    return given


def ids(given: str | Iterable[str]) -> list[str]:
    """A lone id is a list of one, and not a list of its characters."""
    return [given] if isinstance(given, str) else list(given)


def history_items(given: str | Iterable[str | tuple[str, float]]) -> list[pb.HistoryItem]:
    pairs = [(each, None) if isinstance(each, str) else each for each in ([given] if isinstance(given, str) else given)]
    return [pb.HistoryItem(item_id=item_id, weight=weight) for item_id, weight in pairs]


def event_message(event: values.Event) -> common_pb2.Event:
    return common_pb2.Event(
        event_id=event.event_id,
        user_id=event.user_id,
        item_id=event.item_id,
        type=event.type,
        value=event.value,
        timestamp=event.timestamp,
        text=event.text,
        impression_id=event.impression_id,
    )


def item_message(item: values.Item) -> common_pb2.Item:
    message = common_pb2.Item(
        id=item.id, title=item.title, text=item.text, categories=ids(item.categories), created=item.created
    )
    for name, value in item.attributes.items():
        try:
            message.attributes[name] = (
                list(value) if isinstance(value, tuple) else value
            )  # older Protobufs know lists only
        except ValueError:
            kinds = "a text, a number, true, false, none, or a list of these"
            raise ValueError(
                f"attribute {name!r} of item {item.id!r} is a {type(value).__name__}, not {kinds}"
            ) from None
    return message


class _Common(TypedDict):
    items: tuple[values.RecommendedItem, ...]
    bundle_version: str
    degraded: tuple[str, ...]
    shards_total: int
    shards_answered: int
    impression_id: str


def _common(reply: pb.RecommendResponse | pb.SimilarItemsResponse | pb.SearchItemsResponse) -> _Common:
    return {
        "items": tuple(_recommended(each) for each in reply.items),
        "bundle_version": reply.bundle_version,
        "degraded": tuple(reply.degraded),
        "shards_total": reply.shards_total,
        "shards_answered": reply.shards_answered,
        "impression_id": reply.impression_id,
    }


def _recommended(item: common_pb2.ScoredItem) -> values.RecommendedItem:
    reasons = tuple(values.Reason(each.kind, tuple(each.item_ids), each.text) for each in item.reasons)
    return values.RecommendedItem(item.id, item.score, item.title, tuple(item.sources), reasons)


def recommendations(reply: pb.RecommendResponse) -> values.Recommendations:
    return values.Recommendations(**_common(reply), personalized=reply.personalized, variant=reply.variant)


def similar_items(reply: pb.SimilarItemsResponse) -> values.SimilarItems:
    return values.SimilarItems(**_common(reply), title=reply.title)


def search_results(reply: pb.SearchItemsResponse) -> values.SearchResults:
    return values.SearchResults(**_common(reply))


def user_history(reply: pb.GetHistoryResponse) -> values.UserHistory:
    events = tuple(values.PastEvent(_event(each.event), each.title) for each in reply.events)
    return values.UserHistory(events, reply.known, tuple(reply.degraded))


def _event(message: common_pb2.Event) -> values.Event:
    return values.Event(
        user_id=message.user_id,
        item_id=message.item_id,
        type=message.type,
        value=message.value if message.HasField("value") else None,
        timestamp=message.timestamp,
        text=message.text,
        impression_id=message.impression_id,
        event_id=message.event_id,
    )


def mesh_status(reply: pb.StatusResponse) -> values.MeshStatus:
    upstreams = tuple(
        values.UpstreamStatus(each.service, each.shard, tuple(_endpoint(one) for one in each.endpoints))
        for each in reply.upstreams
    )
    return values.MeshStatus(reply.bundle_version, reply.serving, reply.build, reply.uptime_seconds, upstreams)


def _endpoint(message: pb.EndpointStatus) -> values.EndpointStatus:
    return values.EndpointStatus(
        address=message.address,
        state=message.state,
        in_flight=message.in_flight,
        calls=message.calls,
        failures=message.failures,
        last_error=message.last_error,
        bundle_versions=tuple(message.bundle_versions),
    )
