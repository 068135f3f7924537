"""Text for people: columns, width, and what a terminal must not be sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh import tables
from recmesh.client import Answer, EndpointStatus, MeshStatus, RecommendedItem, UpstreamStatus


def test_numbers_stand_to_the_right_and_texts_to_the_left() -> None:
    text = tables.table(("title", "calls", "score"), [("Alien", 7, 0.25), ("Amélie", 12_345, 10.5)])
    assert text.splitlines() == [
        "title    calls   score",
        "Alien        7   0.250",
        "Amélie  12,345  10.500",
    ]


def test_a_column_without_values_is_left_out() -> None:
    assert tables.table(("a", "b"), [("x", ""), ("y", "")]) == "a\nx\ny"
    assert tables.table(("a", "b"), []) == ""


def test_the_widest_text_is_cut_to_the_width() -> None:
    text = tables.table(("id", "title"), [("1214", "x" * 100), ("2", "short")], 30)
    assert text.splitlines() == ["id    title", "1214  " + "x" * 23 + "…", "2     short"]


def test_columns_are_counted_as_a_terminal_shows_them() -> None:
    text = tables.table(("title", "id"), [("千と千尋", "1"), ("Ame\u0301lie", "2"), ("Alien", "3")])
    assert text.splitlines() == ["title     id", "千と千尋  1", "Ame\u0301lie    2", "Alien     3"]
    cut = tables.table(("title", "id"), [("千と千尋の神隠し", "1")], 13)
    assert cut.splitlines() == ["title      id", "千と千尋…  1"]


def test_nothing_reaches_the_terminal_as_a_command() -> None:
    assert tables.plain("a\x1b[2Jb\nc\td\u202e") == "a [2Jb c d "


def test_what_joins_letters_is_kept_and_takes_no_column() -> None:
    for text, columns in (("می\u200cشد", 4), ("👩\u200d🚀", 4), ("❤\ufe0f", 1)):
        assert (tables.plain(text), tables.columns(text)) == (text, columns)


@given(st.lists(st.tuples(st.text(), st.integers(), st.floats(), st.text()), max_size=5), st.integers(60, 200))
def test_any_rows_fit(rows: list[tuple[str, int, float, str]], width: int) -> None:
    lines = tables.table(("a", "b", "c", "d"), rows, width).splitlines()
    assert len(lines) in (0, len(rows) + 1)
    numbers = max((len(f"{row[1]:,}") + len(f"{row[2]:.3f}") for row in rows), default=0)
    if numbers <= width - 2 * tables.LEAST - 6:
        assert all(tables.columns(line) <= width for line in lines)


def answer(*items: RecommendedItem, **changes: object) -> Answer:
    given = {"bundle_version": "b", "degraded": (), "shards_total": 2, "shards_answered": 2, "impression_id": ""}
    return Answer(items, **(given | changes))  # type: ignore[arg-type]


def test_an_answer_without_items_says_so() -> None:
    assert tables.answer(answer()) == "no item was found"


def test_an_answer_says_what_is_missing() -> None:
    shown = tables.answer(answer(degraded=("embedding", "ranking"), shards_answered=1))
    assert shown.splitlines()[1:] == [
        "the answer is plainer than usual: it had to do without embedding, ranking",
        "a part of the catalogue is missing: 1 of 2 shards answered",
    ]


def endpoint(**changes: object) -> EndpointStatus:
    """One that is well."""
    told = {
        "address": "h:1", "state": "ready", "in_flight": 0, "calls": 1, "failures": 0, "last_error": "",
        "last_error_age_seconds": 0.0, "problem": "", "bundle_versions": ("b1",), "id": "a", "health": "healthy",
        "cause": "", "ejections": 0, "cost_seconds": 0.01,
    }  # fmt: skip
    return EndpointStatus(**(told | changes))  # type: ignore[arg-type]


def second_line(service: str, *endpoints: EndpointStatus) -> str:
    upstream = UpstreamStatus(service, 1, endpoints, 10.0, 0, 1_024, 0, 0.0, 0, 0, False)
    return tables.status(MeshStatus("b1", True, "0", 9.0, (upstream,), 1.0)).splitlines()[1]


@pytest.mark.parametrize(
    "changes", [{"state": "backing off"}, {"health": "ejected"}, {"problem": "is another service"}]
)
def test_a_service_without_a_usable_endpoint_is_said_to_be_away_at_the_top(changes: dict[str, str]) -> None:
    assert second_line("ranking", endpoint(**changes)) == "ranking is away: answers go without it"
    assert second_line("retrieval", endpoint(**changes)).startswith("retrieval 1 is away: that part of the catalogue")
    assert second_line("ranking", endpoint(**changes), endpoint()) == "", "one that is well is enough"


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "5 s"), (90, "1.5 min"), (5_400, "1.5 h"), (129_600, "1.5 d")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert tables.duration(seconds) == text


@pytest.mark.parametrize(
    ("timestamp", "text"), [(0, "1970-01-01 00:00:00"), (1e30, "1e+30"), (float("nan"), "nan"), (-1e18, "-1e+18")]
)
def test_a_time_without_a_calendar_stays_a_number(timestamp: float, text: str) -> None:
    assert tables.moment(timestamp) == text
