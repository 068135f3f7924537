"""Between the values of the SDK and the messages of the wire."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypedDict, TypeVar

from google.protobuf.message import Message

from recmesh.client import values
from recmesh.rpc import Origin, Processed, RpcError, Status
from recmesh.v1 import common_pb2
from recmesh.v1 import recommender_pb2 as pb

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Message)


@contextmanager
def request(method: str) -> Iterator[None]:
    """Around the making of a request, to name the call in what is wrong with it."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{method}: {error}") from error
    except (ValueError, OverflowError) as error:
        message = f"{method}: {error}"
        raise RpcError(Status.INVALID_ARGUMENT, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT) from error


@contextmanager
def _at(place: str) -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{place}.{error}") from error
    except ValueError as error:
        raise ValueError(f"{place}.{error}") from error


def message(kind: Callable[P, T], *args: P.args, **fields: P.kwargs) -> T:
    """The message with these fields. Protobuf's errors name no field: after one, each field is tried alone."""
    try:
        return kind(*args, **fields)
    except (TypeError, ValueError, OverflowError):
        for name, value in fields.items():
            try:
                kind(**{name: value})  # type: ignore[arg-type, call-arg]
            except TypeError as error:
                wanted = "ids and texts are str, counts int, weights and times float"
                raise TypeError(f"{name} is {_short(value)}: {wanted}") from error
            except (ValueError, OverflowError) as error:
                raise ValueError(f"{name} is {_short(value)}: {error}") from error
        raise


def number(name: str, given: int) -> int:
    """What is within bounds the mesh decides; what no message can hold is told here."""
    if isinstance(given, int) and not -(2**31) <= given < 2**31:
        raise ValueError(f"{name} is {given:,}, which no request can hold")
    return given


def seconds(timeout: float) -> float:
    if not isinstance(timeout, int | float):
        raise TypeError(f"timeout is {_short(timeout)}: it must be a number of seconds")
    if math.isnan(timeout):
        raise ValueError("timeout is nan; it must be a number of seconds")
    return timeout


def several(name: str, kind: type[T], given: T | Iterable[T]) -> list[T]:
    """A lone value is a list of one; a lone id is not a list of its characters."""
    if isinstance(given, kind):
        return [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"{name} is {_short(given)}: it must be of {kind.__name__}, one or several")
    listed = list(given)
    for place, each in enumerate(listed):
        if not isinstance(each, kind):
            raise TypeError(f"{name}[{place}] is {_short(each)}: it must be of {kind.__name__}")
    return listed


def messages(name: str, kind: type[T], make: Callable[[T], M], given: T | Iterable[T]) -> list[M]:
    made = []
    for place, each in enumerate(several(name, kind, given)):
        with _at(f"{name}[{place}]"):
            made.append(make(each))
    return made


def history_items(given: str | Iterable[str | tuple[str, float]]) -> list[pb.HistoryItem]:
    if not isinstance(given, Iterable):
        raise TypeError(f"history is {_short(given)}: it must be a list of item ids, or of (item id, weight)")
    return [_history_item(place, each) for place, each in enumerate([given] if isinstance(given, str) else given)]


def recommend_request(
    user_id: str,
    tenant: str,
    *,
    count: int,
    filter: str,  # noqa: A002  the name of the field
    exclude: str | Iterable[str],
    exclude_seen: bool,
    query: str,
    diversity: float,
    explain: bool,
    history: str | Iterable[str | tuple[str, float]] = (),
    offset: int = 0,
    bundle_version: str = "",
) -> pb.RecommendRequest:
    return message(
        pb.RecommendRequest,
        user_id=user_id,
        history=history_items(history),
        count=number("count", count),
        offset=number("offset", offset),
        filter=filter,
        exclude_item_ids=several("exclude", str, exclude),
        exclude_seen=exclude_seen,
        query_text=query,
        diversity=diversity,
        explain=explain,
        bundle_version=bundle_version,
        tenant=tenant,
    )


def _history_item(place: int, each: str | tuple[str, float]) -> pb.HistoryItem:
    try:
        item_id, weight = (each, None) if isinstance(each, str) else each
    except (TypeError, ValueError):
        raise TypeError(f"history[{place}] is {_short(each)}: it must be an item id, or (item id, weight)") from None
    with _at(f"history[{place}]"):
        return message(pb.HistoryItem, item_id=item_id, weight=weight)


def event_message(event: values.Event) -> common_pb2.Event:
    return message(
        common_pb2.Event,
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
    categories = several("categories", str, item.categories)
    made = message(
        common_pb2.Item, id=item.id, title=item.title, text=item.text, categories=categories, created=item.created
    )
    for name, value in item.attributes.items():
        try:
            # Older Protobufs know lists only.
            made.attributes[name] = list(value) if isinstance(value, tuple) else value
        except (TypeError, ValueError, OverflowError) as error:
            kinds = "it must be a text, a number, true, false, none, or a list of texts"
            raise ValueError(f"attributes[{name!r}] is {_short(value)}: {kinds}") from error
    return made


def _short(value: object) -> str:
    shown = repr(value)
    return f"{shown if len(shown) <= 40 else f'{shown[:40]}...'}, of type {type(value).__name__}"


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
    upstreams = tuple(map(_upstream, reply.upstreams))
    return values.MeshStatus(
        reply.bundle_version, reply.serving, reply.build, reply.uptime_seconds, upstreams, reply.quality
    )


def _upstream(message: pb.UpstreamStatus) -> values.UpstreamStatus:
    return values.UpstreamStatus(
        service=message.service,
        shard=message.shard,
        endpoints=tuple(map(_endpoint, message.endpoints)),
        retry_budget=message.retry_budget,
        in_flight=message.in_flight,
        limit=message.limit,
        queued=message.queued,
        throttle=message.throttle,
        hedges_sent=message.hedges_sent,
        hedges_won=message.hedges_won,
        panic=message.panic,
    )


def _endpoint(message: pb.EndpointStatus) -> values.EndpointStatus:
    return values.EndpointStatus(
        address=message.address,
        state=message.state,
        in_flight=message.in_flight,
        calls=message.calls,
        failures=message.failures,
        last_error=message.last_error,
        last_error_age_seconds=message.last_error_age_seconds,
        problem=message.problem,
        bundle_versions=tuple(message.bundle_versions),
        id=message.id,
        health=message.health,
        cause=message.cause,
        ejections=message.ejections,
        cost_seconds=message.cost_seconds,
    )
