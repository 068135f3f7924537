"""Events as the store keeps them, and as they come in and go out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from recmesh.v1 import common_pb2
from services.common.checks import LONGEST_ID, check_count, check_id, check_text, invalid

MOST_EVENTS: Final = 1_000  # of one call; the gateway's contract
LONGEST_TYPE: Final = 256  # bytes: a type is a word
MOST_AHEAD: Final = 86_400.0  # seconds: a clock may run fast, but a time in milliseconds would stay newest for ages
USUAL_TYPE: Final = "view"


class Event(NamedTuple):
    """One row; the order is that of the table's columns."""

    event_id: str
    user_id: str
    item_id: str
    type: str
    value: float | None
    timestamp: float
    text: str
    impression_id: str

    def message(self) -> common_pb2.Event:
        fields = self._asdict()
        if self.value is None:
            del fields["value"]
        return common_pb2.Event(**fields)


def received(messages: Sequence[common_pb2.Event], now: float) -> list[Event]:
    """The events of a request, checked and completed; `now` is the wall clock's."""
    check_count("events", messages, MOST_EVENTS)
    return [_received(f"events[{place}]", message, now) for place, message in enumerate(messages)]


def _received(field: str, message: common_pb2.Event, now: float) -> Event:
    check_id(f"{field}.event_id", message.event_id)
    check_id(f"{field}.user_id", message.user_id)
    check_id(f"{field}.item_id", message.item_id)
    check_text(f"{field}.type", message.type, LONGEST_TYPE)
    check_text(f"{field}.text", message.text)
    check_text(f"{field}.impression_id", message.impression_id, LONGEST_ID)
    value = message.value if message.HasField("value") else None
    if value is not None and not math.isfinite(value):
        raise invalid(f"{field}.value", "the number is not finite")
    if not 0.0 <= message.timestamp <= now + MOST_AHEAD:
        raise invalid(f"{field}.timestamp", f"{message.timestamp:g} lies outside 1970 to tomorrow; give Unix seconds")
    return Event(
        message.event_id,
        message.user_id,
        message.item_id,
        message.type or USUAL_TYPE,
        value,
        message.timestamp or now,
        message.text,
        message.impression_id,
    )
