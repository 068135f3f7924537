"""Items as they cross the wire, checked, and as the models take them."""

from __future__ import annotations

import math
from typing import Final

from google.protobuf.struct_pb2 import NULL_VALUE, Value

from models.catalogue import ItemRecord
from models.data import AttributeValue, ItemInfo
from models.shard import shard_of
from recmesh.v1 import common_pb2
from recmesh.v1 import retrieval_pb2 as pb
from services.common.checks import check_id, check_ids, check_text, invalid, shown
from services.common.columns import packed

LONGEST_TITLE: Final = 4_096  # bytes
MOST_CATEGORIES: Final = 100
MOST_ATTRIBUTE_BYTES: Final = 16_384  # shown with every answer and read by every filter


def check_item(field: str, item: common_pb2.Item) -> None:
    check_id(f"{field}.id", item.id)
    check_text(f"{field}.title", item.title, LONGEST_TITLE)
    check_text(f"{field}.text", item.text)
    check_ids(f"{field}.categories", item.categories, MOST_CATEGORIES)
    if not (math.isfinite(item.created) and item.created >= 0):
        raise invalid(f"{field}.created", f"{item.created:g} is no Unix time")
    if (size := item.attributes.ByteSize()) > MOST_ATTRIBUTE_BYTES:
        raise invalid(f"{field}.attributes", f"at most {MOST_ATTRIBUTE_BYTES:,} bytes, these are {size:,}")
    for name, value in item.attributes.fields.items():
        try:
            _attribute(value)
        except ValueError as error:
            raise invalid(f"{field}.attributes[{shown(name)}]", str(error)) from error


def check_shard(field: str, item_id: str, shard: int, shards: int) -> None:
    owner = shard_of(item_id, shards)
    if owner != shard:
        raise invalid(field, f"item {shown(item_id)} belongs to shard {owner} of {shards}, this is shard {shard}")


def to_info(item: common_pb2.Item) -> ItemInfo:
    """ValueError for an attribute that has no place in the models."""
    attributes = {name: _attribute(value) for name, value in item.attributes.fields.items()}
    return ItemInfo(item.id, item.title, item.text, tuple(item.categories), attributes, item.created)


def to_message(record: ItemRecord, *, text: bool, vectors: bool) -> pb.ItemRecord:
    info = record.info
    item = common_pb2.Item(id=info.id, title=info.title, categories=info.categories, created=info.created)
    if text:
        item.text = info.text
    for name, value in info.attributes.items():
        _set_attribute(item.attributes.fields[name], value)
    message = pb.ItemRecord(item=item, is_new=record.is_new)
    if vectors:
        message.factors, message.content = packed(record.factors), packed(record.content)
    return message


def _attribute(value: Value) -> AttributeValue:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        raise ValueError("a table has no place in an attribute; give its parts names of their own")
    if kind == "list_value":
        if any(each.WhichOneof("kind") != "string_value" for each in value.list_value.values):
            raise ValueError("a list may only hold texts")
        return tuple(each.string_value for each in value.list_value.values)
    if kind == "number_value" and not math.isfinite(value.number_value):
        raise ValueError("the number is not finite")
    return None if kind in (None, "null_value") else getattr(value, kind)


def _set_attribute(field: Value, value: AttributeValue) -> None:
    if value is None:
        field.null_value = NULL_VALUE
    elif isinstance(value, bool):
        field.bool_value = value
    elif isinstance(value, int | float):
        field.number_value = value
    elif isinstance(value, str):
        field.string_value = value
    else:
        field.list_value.extend(list(value))
