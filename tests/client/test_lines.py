"""Events and items from JSON lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.client import Event, Item
from recmesh.client.lines import LineError, events, items


def test_a_line_gives_an_event_with_every_field() -> None:
    line = {
        "user_id": "42",
        "item_id": "1214",
        "type": "rating",
        "value": 4,
        "timestamp": 1.5,
        "text": "good",
        "impression_id": "i1",
        "event_id": "e1",
    }
    assert list(events([json.dumps(line).encode()], "f")) == [Event(**line)]  # type: ignore[arg-type]


def test_a_line_gives_an_item_with_every_field() -> None:
    line = {
        "id": "1",
        "title": "Alien",
        "text": "In space",
        "categories": ["Horror"],
        "attributes": {"year": 1979},
        "created": 5,
    }
    assert list(items([json.dumps(line).encode()], "f")) == [Item(**line)]  # type: ignore[arg-type]


def test_what_is_null_or_empty_is_as_if_it_were_left_out() -> None:
    (event,) = events([b'{"user_id": "42", "item_id": "1", "type": "", "value": null, "event_id": ""}'], "f")
    assert (event.type, event.value, len(event.event_id)) == ("view", None, 32)


def test_empty_lines_and_a_byte_order_mark_do_no_harm() -> None:
    given = [b'\xef\xbb\xbf{"id": "1"}\r\n', b"\n", b"  ", b'{"id": "2"}']
    assert [item.id for item in items(given, "f")] == ["1", "2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "expected an object, found [1]"),
        (b'"\xff"', "not UTF-8"),
        (b'{"user_id": 42, "item_id": "1"}', "user_id must be a string, not 42"),
        (b'{"user_id": "42"}', "item_id is missing"),
        (b'{"user_id": "42", "item_id": ""}', "item_id is missing"),
        (b'{"user_id": "42", "item_id": null}', "item_id is missing"),
        (b'{"userid": "42", "item_id": "1"}', "unknown key 'userid'; did you mean 'user_id'?"),
        (b'{"user_id": "42", "item_id": "1", "zzz": 1}', "unknown key 'zzz'"),
        (b'{"user_id": "42", "item_id": "1", "value": "4"}', 'value must be a number, not "4"'),
        (b'{"user_id": "42", "item_id": "1", "value": true}', "value must be a number, not true"),
        (b'{"user_id": "42", "item_id": "1", "value": NaN}', "NaN is no number"),
    ],
)
def test_a_bad_line_is_named_with_file_number_and_reason(line: bytes, reason: str) -> None:
    given = events([b'{"user_id": "42", "item_id": "1"}', b"", line], "events.jsonl")
    next(given)
    with pytest.raises(LineError) as caught:
        next(given)
    assert str(caught.value).startswith("events.jsonl, line 3: ") and reason in str(caught.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"title": "Alien"}', "id is missing"),
        (b'{"id": "1", "categories": "Horror"}', 'categories must be a list of strings, not "Horror"'),
        (b'{"id": "1", "categories": [1]}', "categories must be a list of strings, not [1]"),
        (b'{"id": "1", "attributes": []}', "attributes must be an object, not []"),
    ],
)
def test_a_bad_item_is_named_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(LineError) as caught:
        list(items([line], "items.jsonl"))
    assert str(caught.value) == f"items.jsonl, line 1: {reason}"


@given(st.binary())
def test_any_line_is_an_event_or_is_refused(line: bytes) -> None:
    refused = False
    try:
        read = list(events([line], "f"))
    except LineError:
        refused = True
    assert refused or all(isinstance(each, Event) for each in read)
