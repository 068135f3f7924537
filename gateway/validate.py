"""What a request may ask for: every check names the field, what it was and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.struct_pb2 import Struct

from recmesh.rpc import RpcError, Status
from recmesh.v1.common_pb2 import Event, Item
from recmesh.v1.recommender_pb2 import HistoryItem, RecommendRequest, SearchItemsRequest, SimilarItemsRequest

# The limits without a reason beside them are the contract's: the protos state them.
ID_BYTES: Final = 256
PAGE_ITEMS: Final = 1_000  # the end of the last page; further down the order says little
DEFAULT_COUNT: Final = 10
DEFAULT_EVENTS: Final = 50
QUERY_BYTES: Final = 4_096
FILTER_BYTES: Final = 16_384  # what the 4,096 characters that retrieval reads can take
HISTORY_ITEMS: Final = 10_000  # as many as are kept of a stored history
EXCLUDED_ITEMS: Final = 10_000  # as many as a history has
EVENTS: Final = 1_000
PUT_ITEMS: Final = 100
DELETED_ITEMS: Final = 1_000
TITLE_BYTES: Final = 4_096  # as long as a query for it may be
TEXT_BYTES: Final = 65_536  # as many as are embedded
CATEGORIES: Final = 100  # of an item: each is part of the text it is embedded from
ATTRIBUTE_BYTES: Final = 16_384  # an item is shown and filtered by these, not a document store


def invalid(message: str) -> RpcError:
    return RpcError(Status.INVALID_ARGUMENT, message)


def check_tenant(tenant: str) -> None:
    if tenant not in ("", "default"):
        raise RpcError(Status.NOT_FOUND, f'there is no tenant {_shown(tenant)}; the only one is "default"')


def check_id(field: str, value: str) -> None:
    size = len(value.encode())
    if not 1 <= size <= ID_BYTES:
        was = "is empty" if not size else f"is {size:,} bytes long"
        raise invalid(f"{field} {was}; it must have 1 to {ID_BYTES} bytes of UTF-8")


def check_ids(field: str, values: Sequence[str], most: int) -> None:
    check_amount(field, len(values), most)
    for place, value in enumerate(values):
        check_id(f"{field}[{place}]", value)


def check_amount(field: str, amount: int, most: int) -> None:
    if amount > most:
        raise invalid(f"{field} has {amount:,} entries; at most {most:,} are allowed")


def check_bytes(field: str, value: str, most: int) -> None:
    size = len(value.encode())
    if size > most:
        raise invalid(f"{field} is {size:,} bytes long; at most {most:,} are allowed")


def check_range(field: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # also false for NaN
        raise invalid(f"{field} is {value:,}; it must be {least:,} to {most:,}")


def check_time(field: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise invalid(f"{field} is {value}; it must be a Unix time in seconds, or 0")


def count_of(request: RecommendRequest | SimilarItemsRequest | SearchItemsRequest) -> int:
    return request.count if request.HasField("count") else DEFAULT_COUNT


def check_page(offset: int, count: int) -> None:
    check_range("count", count, 1, PAGE_ITEMS)
    if not 0 <= offset <= PAGE_ITEMS - count:
        most = f"offset + count at most {PAGE_ITEMS:,}"
        raise invalid(f"offset is {offset:,} with a count of {count:,}; it must be at least 0, and {most}")


def check_query(field: str, value: str) -> None:
    check_bytes(field, value, QUERY_BYTES)
    if not value.strip():
        raise invalid(f"{field} is empty; it must have a word to look for")


def check_selection(text: str, excluded: Sequence[str]) -> None:
    """The filter, which retrieval reads, and the excluded ids."""
    check_bytes("filter", text, FILTER_BYTES)
    check_ids("exclude_item_ids", excluded, EXCLUDED_ITEMS)


def check_history(history: Sequence[HistoryItem]) -> None:
    check_amount("history", len(history), HISTORY_ITEMS)
    for place, entry in enumerate(history):
        check_id(f"history[{place}].item_id", entry.item_id)
        if not math.isfinite(entry.weight):
            raise invalid(f"history[{place}].weight is {entry.weight}; it must be a finite number")
        check_time(f"history[{place}].timestamp", entry.timestamp)


def check_events(events: Sequence[Event]) -> None:
    check_amount("events", len(events), EVENTS)
    for place, event in enumerate(events):
        field = f"events[{place}]"
        check_id(f"{field}.user_id", event.user_id)
        check_id(f"{field}.item_id", event.item_id)
        for name in ("event_id", "type", "impression_id"):
            check_bytes(f"{field}.{name}", getattr(event, name), ID_BYTES)
        check_bytes(f"{field}.text", event.text, TEXT_BYTES)
        check_time(f"{field}.timestamp", event.timestamp)
        if not math.isfinite(event.value):
            raise invalid(f"{field}.value is {event.value}; it must be a finite number")


def check_items(items: Sequence[Item]) -> None:
    check_amount("items", len(items), PUT_ITEMS)
    for place, item in enumerate(items):
        field = f"items[{place}]"
        check_id(f"{field}.id", item.id)
        check_bytes(f"{field}.title", item.title, TITLE_BYTES)
        check_bytes(f"{field}.text", item.text, TEXT_BYTES)
        check_ids(f"{field}.categories", item.categories, CATEGORIES)
        check_time(f"{field}.created", item.created)
        _check_attributes(f"{field}.attributes", item.attributes)
    _check_distinct(item.id for item in items)


def _check_attributes(field: str, attributes: Struct) -> None:
    if (size := attributes.ByteSize()) > ATTRIBUTE_BYTES:
        raise invalid(f"{field} take {size:,} bytes; at most {ATTRIBUTE_BYTES:,} are allowed")
    for name, value in attributes.fields.items():
        place, kind = f"{field}[{_shown(name)}]", value.WhichOneof("kind")
        if kind == "struct_value":
            raise invalid(f"{place} is a table; give each of its parts as an attribute")
        if kind == "list_value" and any(each.WhichOneof("kind") != "string_value" for each in value.list_value.values):
            raise invalid(f"{place} is a list with other things than texts; a list may hold texts only")
        if kind == "number_value" and not math.isfinite(value.number_value):
            raise invalid(f"{place} is {value.number_value}; it must be a finite number")


def _check_distinct(ids: Iterable[str]) -> None:
    seen = dict[str, int]()
    for place, each in enumerate(ids):
        if each in seen:
            raise invalid(f"items[{place}].id {_shown(each)} is that of items[{seen[each]}] too; put an item once")
        seen[each] = place


def _shown(text: str) -> str:
    """A caller's text in a message: readable, and short whatever it was."""
    return repr(text if len(text) <= 64 else f"{text[:64]}...")
