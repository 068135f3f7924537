"""Cleaning: what is normalised, taken once, replaced or left out, and that the report says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from models.data import Interactions, ItemInfo
from models.events import event_weight
from tests.training.datasets.support import lines, read
from training.errors import DatasetError
from training.preprocessing import Prepared, PreprocessingConfig, clean_item, normalised, prepare, seconds

NOBODY_LEFT_OUT = PreprocessingConfig()
NO_FILES: Mapping[str, str] = {}


def prepared(
    directory: Path,
    table: str,
    config: PreprocessingConfig = NOBODY_LEFT_OUT,
    files: Mapping[str, str] = NO_FILES,
) -> Prepared:
    return prepare(read(directory, {"interactions.csv": table, **files}), config)


def rows(data: Interactions) -> list[tuple[str, str, float, float]]:
    """User, item, weight, time."""
    return [
        (data.user_ids[user], data.item_ids[item], round(weight, 4), time)
        for user, item, weight, time in zip(
            data.users.tolist(), data.items.tolist(), data.weights.tolist(), data.timestamps.tolist(), strict=True
        )
    ]


def test_rows_are_ordered_by_user_time_and_place(tmp_path: Path) -> None:
    found = prepared(
        tmp_path, "user,item,event,timestamp\nv,a,like,9\nu,b,like,5\nv,b,like,3\nu,c,like,5\nu,a,like,4\n"
    )
    assert [row[:2] for row in rows(found.interactions)] == [("v", "b"), ("v", "a"), ("u", "a"), ("u", "b"), ("u", "c")]
    assert np.all(np.diff(found.interactions.users) >= 0)


def test_weights_follow_the_rule_of_live_events(tmp_path: Path) -> None:
    table = "user,item,event,value\nu,a,rating,5\nu,b,rating,2.5\nu,c,dislike,\nu,d,rating,1\nu,e,wink,\n"
    expected = [event_weight(kind, value) for kind, value in (("rating", 5), ("rating", 2.5), ("dislike", None))]
    expected += [event_weight("rating", 1), event_weight("wink", None)]
    assert prepared(tmp_path, table).interactions.weights.tolist() == pytest.approx(expected)


def test_weights_of_the_dataset_replace_the_usual_ones(tmp_path: Path) -> None:
    files = {"dataset.toml": "[weights]\nlike = 0.25\n"}
    found = prepared(tmp_path, "user,item,event\nu,a,like\nu,b,purchase\n", files=files)
    assert found.interactions.weights.tolist() == [0.25, event_weight("purchase", None)]
    assert found.report.event_weights == {"like": 0.25}


def test_times_become_seconds_each_by_its_size() -> None:
    times = np.array([964982703, 964982703_000, 964982703_000_000, 964982703_000_000_000, np.nan, 0])
    found, units = seconds(times)
    np.testing.assert_array_equal(found, [964982703.0] * 4 + [np.nan, 0])
    assert units == {"milliseconds": 1, "microseconds": 1, "nanoseconds": 1}


def test_without_any_times_the_place_in_the_sequence_is_the_time(tmp_path: Path) -> None:
    found = prepared(tmp_path, "user,item\nu,a\nv,c\nu,b\nu,a\n")
    assert [(user, item, time) for user, item, _, time in rows(found.interactions)] == [
        ("u", "a", 0.0),
        ("u", "b", 1.0),
        ("u", "a", 2.0),
        ("v", "c", 0.0),
    ]


def test_a_single_unknown_time_counts_as_the_oldest(tmp_path: Path) -> None:
    found = prepared(tmp_path, "user,item,timestamp\nu,a,7\nu,b,\n")
    assert [row[1] for row in rows(found.interactions)] == ["b", "a"]
    assert found.report.without_time == 1


def test_a_repeated_row_is_taken_once(tmp_path: Path) -> None:
    table = "user,item,event,timestamp\nu,a,view,5\nu,a,view,5000000000000\nu,a,view,5\nu,a,like,5\nu,a,view,6\n"
    found = prepared(tmp_path, table)
    assert found.report.duplicates == 1
    assert found.report.interactions == (5, 4)


def test_without_times_a_repeat_is_an_event_of_its_own(tmp_path: Path) -> None:
    assert len(prepared(tmp_path, "user,item\nu,a\nu,a\n").interactions) == 2


def test_the_last_rating_of_an_item_counts(tmp_path: Path) -> None:
    table = "user,item,event,value,timestamp\nu,a,rating,1,9\nu,a,rating,5,5\nu,a,view,,5\nv,a,rating,5,5\n"
    found = prepared(tmp_path, table)
    assert [row for row in rows(found.interactions) if row[0] == "u"] == [
        ("u", "a", round(event_weight("view", None), 4), 5.0),
        ("u", "a", round(event_weight("rating", 1), 4), 9.0),
    ]
    assert found.report.replaced_ratings == 1


def test_of_ratings_without_times_the_later_row_counts(tmp_path: Path) -> None:
    found = prepared(tmp_path, "user,item,value\nu,a,1\nu,a,5\n")
    assert found.interactions.weights.tolist() == [1.0]


def test_minimum_counts_are_applied_until_they_hold(tmp_path: Path) -> None:
    # Without item c, user w has a single event left; without w, item b has.
    table = "user,item\nu,a\nv,a\nu,d\nv,d\nw,b\nw,c\nu,b\n"
    found = prepared(tmp_path, table, PreprocessingConfig(min_user_events=2, min_item_events=2))
    assert {row[:2] for row in rows(found.interactions)} == {("u", "a"), ("v", "a"), ("u", "d"), ("v", "d")}
    assert [item.id for item in found.items] == ["a", "d"]
    assert found.report.left_out == 3
    assert found.report.users == (3, 2)


def test_minimum_counts_that_leave_nobody_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lower min_user_events"):
        prepared(tmp_path, "user,item\nu,a\n", PreprocessingConfig(min_user_events=2))


def test_items_stand_in_the_order_of_their_numbers_with_those_nobody_took(tmp_path: Path) -> None:
    files = {"items.jsonl": lines({"item": "never"}, {"item": "b", "title": "B"})}
    found = prepared(tmp_path, "user,item\nu,new\nu,b\n", files=files)
    assert [item.id for item in found.items] == list(found.interactions.item_ids) == ["never", "b", "new"]
    assert found.items[2] == ItemInfo("new")
    assert found.report.missing["without interactions"] == 1
    assert [row[1] for row in rows(found.interactions)] == ["new", "b"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain", "plain"),
        ("  two  spaces ", "two spaces"),
        ("ﬁlm № Ⅳ", "film No IV"),
        ("e\u0301", "é"),
        ("a\x00b\tc\nd", "a b c d"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("", ""),
    ],
)
def test_text_is_normalised(given: str, expected: str) -> None:
    assert normalised(given) == expected


def test_lines_of_a_text_stay() -> None:
    assert normalised(" one\r\n\r\ntwo  three ", lines=True) == "one\ntwo three"


def test_every_text_of_an_item_is_cleaned_and_counted() -> None:
    changed: Counter[str] = Counter()
    item = ItemInfo("ﬁ", "ﬁ", "ﬁ", ("ﬁ", "fi", " "), {"tags": ("ﬁ",), "by": "ﬁ", "year": 1979})
    assert clean_item(item, changed) == ItemInfo(
        "ﬁ", "fi", "fi", ("fi",), {"tags": ("fi",), "by": "fi", "year": 1979}
    ), "ids are names and stay"
    assert changed == {"titles": 1, "texts": 1, "categories": 2, "attributes": 2}


def test_the_report_reads_well_and_fits_into_json(tmp_path: Path) -> None:
    table = "user,item,value,timestamp\n" + "u,a,4,1714557600000\n" + "u,b,1,5\n" * 150 + "u,,1,1\n"
    report = prepared(tmp_path, table, files={"notes.txt": ""}).report
    assert list(report.lines()) == [
        "read tables: interactions.csv 152 rows",
        "interactions: 2 of 151",
        "users: 1",
        "items: 2",
        "of the interactions 1 liked, 0 neutral, 1 disliked",
        "rows rejected: 1",
        "duplicates left out: 149",
        "timestamps in milliseconds turned into seconds: 1",
        "items without a title: 2",
        "items without a text: 2",
        "items without categories: 2",
        "not read: notes.txt",
    ]
    assert report.as_json()["rejected"] == {"interactions.csv": {"no item": 1}}
