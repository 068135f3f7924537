"""Conditions on single items, of which filters are made."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

from models.data import AttributeValue, ItemInfo

Condition: TypeAlias = Callable[[ItemInfo], bool]
Reader: TypeAlias = Callable[[ItemInfo], AttributeValue]
Value: TypeAlias = str | float | bool

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

FIELDS: dict[str, Reader] = {
    "id": lambda item: item.id,
    "title": lambda item: item.title,
    "created": lambda item: item.created or None,  # 0 means that it is not known
    "categories": lambda item: item.categories,
}


def attribute(name: str) -> Reader:
    return lambda item: item.attributes.get(name)


def compare(read: Reader, symbol: str, wanted: Value) -> Condition:
    """False where the value is missing or of another kind than `wanted`, also for "!="."""
    holds, kind = OPERATORS[symbol], _kind(wanted)

    def condition(item: ItemInfo) -> bool:
        value = read(item)
        return _kind(value) == kind and holds(value, wanted)

    return condition


def among(read: Reader, wanted: Sequence[Value]) -> Condition:
    """Whether the value, or any of its members where it is a list, is one of `wanted`."""
    keys = {_key(each) for each in wanted}

    def condition(item: ItemInfo) -> bool:
        value = read(item)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return any(_key(each) in keys for each in value)
        return _key(value) in keys

    return condition


def every(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)


def some(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)


def negation(part: Condition) -> Condition:
    return lambda item: not part(item)


def _kind(value: object) -> str:
    """Values of one kind compare with each other; what has no kind compares with nothing."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number" if value == value else ""  # NaN stands for a missing number
    return "string" if isinstance(value, str) else ""


def _key(value: object) -> Hashable:
    """Equal for equal values of one kind; `1` and `true` differ."""
    kind = _kind(value)
    return (kind, value) if kind else None
