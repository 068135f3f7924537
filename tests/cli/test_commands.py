"""The command `recmesh`: what it sends, and what it prints."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from recmesh import cli
from recmesh.client import Recommendations, RecommendedItem, blocking, core
from recmesh.v1 import recommender_pb2 as pb
from tests.cli.kit import Mesh, refusal
from tests.client.fake import late


def test_recommend_prints_a_table(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "42"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "   title          item  score  from",
        "1  Alien (1979)   1214  0.750  itemknn, ials",
        "2  Amélie (2001)  4973  0.500  content",
    ]
    assert mesh.request == pb.RecommendRequest(user_id="42", count=10, exclude_seen=True)


def test_recommend_prints_reasons_where_they_are_asked_for(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "42", "--explain"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "   title          item  score  why",
        "1  Alien (1979)   1214  0.750  because you liked Aliens (1986)",
    ]


def test_recommend_sends_every_option(mesh: Mesh) -> None:
    text = "recommend 42 -n 3 --offset 1 --history 1 2 --query space --diversity 0.5 --include-seen --exclude 7 8"
    assert cli.main([*text.split(), "--explain", "--filter", "year > 1990"]) == 0
    assert mesh.request == pb.RecommendRequest(
        user_id="42",
        count=3,
        offset=1,
        history=[pb.HistoryItem(item_id="1"), pb.HistoryItem(item_id="2")],
        query_text="space",
        diversity=0.5,
        exclude_seen=False,
        exclude_item_ids=["7", "8"],
        explain=True,
        filter="year > 1990",
    )


def test_recommend_says_when_a_user_is_unknown(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "nobody"]) == 0
    assert capsys.readouterr().out.startswith("user nobody is unknown: these are the popular items\n\n")


def test_recommend_calls_no_user_unknown_whose_history_cannot_be_read(
    mesh: Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["recommend", "unread"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("user unread cannot be looked up at the moment: these are the popular items\n\n")


def test_an_unknown_user_is_told_of_popular_items_only_where_there_are_some(
    mesh: Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["recommend", "nobody", "--filter", "year = 1"]) == 0
    assert capsys.readouterr().out == "user nobody is unknown\n\nno item was found\n"
    assert cli.main(["recommend", "nobody", "--query", "space"]) == 0
    assert capsys.readouterr().out.startswith("user nobody is unknown\n\n   title")


def test_recommend_says_what_is_missing(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "partial"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "the answer is plainer than usual: it had to do without ranking",
        "a part of the catalogue is missing: 1 of 2 shards answered",
    ]


def test_recommend_without_user_or_history_is_wrong_usage(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend"]) == 2
    assert capsys.readouterr().err == "recmesh: recommend: give a user, or with --history what somebody did\n"
    assert not mesh.gateway.requests


def test_recommend_takes_a_history_without_a_user(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "--history", "1214"]) == 0
    assert mesh.request.user_id == "" and mesh.request.history[0].item_id == "1214"
    assert capsys.readouterr().out.startswith("this history is unknown")


def test_similar_and_search_print_tables(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["similar", "1214", "-n", "3"]) == 0
    assert capsys.readouterr().out.startswith("items like Alien (1979)\n\n   title")
    assert cli.main(["search", "space", "opera"]) == 0
    assert capsys.readouterr().out.startswith("   title")
    assert mesh.gateway.requests == [
        pb.SimilarItemsRequest(item_id="1214", count=3),
        pb.SearchItemsRequest(query="space opera", count=10),
    ]
    assert cli.main(["search", "nothing"]) == 0
    assert capsys.readouterr().out == "no item was found\n"


def test_json_is_one_object_with_the_fields_of_the_answer(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "42", "--json", "--explain"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == [field.name for field in fields(Recommendations)]
    assert list(answer["items"][0]) == [field.name for field in fields(RecommendedItem)]
    assert answer["items"][1]["title"] == "Amélie (2001)"
    assert answer["items"][0]["reasons"][0]["kind"] == "itemknn"


@pytest.mark.parametrize(
    "command",
    ["similar 1214", "search x", "feedback 42 1", "items put 1", "items delete 1", "history 42", "forget 42", "status"],
)
def test_every_command_speaks_json(mesh: Mesh, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert cli.main(["--json", *command.split()]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_feedback_records_one_event(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    text = "feedback 42 1214 --type rating --value 4.5 --text good --impression i1"
    assert cli.main(text.split()) == 0
    (event,) = mesh.request.events
    assert (event.user_id, event.item_id, event.type, event.value) == ("42", "1214", "rating", 4.5)
    assert (event.text, event.impression_id, len(event.event_id)) == ("good", "i1", 32)
    assert capsys.readouterr().out == "1 event recorded\n"


def test_feedback_records_a_file_in_batches(mesh: Mesh, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f'{{"user_id": "42", "item_id": "{number}"}}\n' for number in range(2_001)))
    assert cli.main(["feedback", "--file", str(path)]) == 0
    assert [len(request.events) for request in mesh.gateway.requests] == [1_000, 1_000, 1]  # type: ignore[attr-defined]
    assert capsys.readouterr().out == "2,001 events recorded\n"


def test_feedback_reads_standard_input(
    mesh: Mesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = io.TextIOWrapper(io.BytesIO(b'{"user_id": "42", "item_id": "1"}\n{"user_id": "42"}\n'))
    monkeypatch.setattr("sys.stdin", given)
    assert cli.main(["feedback", "--file", "-"]) == 2
    assert capsys.readouterr().err == "recmesh: standard input, line 2: item_id is missing\n"


def test_of_a_file_with_a_bad_line_nothing_is_sent(
    mesh: Mesh, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    good = '{"user_id": "42", "item_id": "1"}\n'
    path.write_text(good * 1_500 + '{"user_id": "42", "itemid": "1"}\n')
    assert cli.main(["feedback", "--file", str(path)]) == 2
    reason = "line 1501: unknown key 'itemid'; did you mean 'item_id'?"
    assert capsys.readouterr().err == f"recmesh: {path}, {reason}\n"
    assert not mesh.gateway.requests


def test_a_failure_amid_a_file_says_how_much_is_stored(
    mesh: Mesh, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"user_id": "42", "item_id": "1"}\n' * 2_500)
    record, calls = core.Client.record, 0

    async def fail_the_third(*given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise late()
        return await record(*given, **options)

    monkeypatch.setattr(blocking.Client, "record", blocking._awaited(fail_the_third))
    assert cli.main(["feedback", "--file", str(path)]) == 1
    assert "no answer in time (the first 2,000 are stored)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "feedback",
        "feedback 42",
        "feedback 42 1214 --file events.jsonl",
        "feedback --file no-such-file",
        "items put",
        "items put 1 --file items.jsonl",
        "items put --file no-such-file",
        "items put --file .",
        "recommend 42 --gateway nonsense",
    ],
)
def test_wrong_usage_is_one_line_and_ends_with_2(mesh: Mesh, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert cli.main(command.split()) == 2
    shown = capsys.readouterr()
    assert not shown.out and shown.err.startswith("recmesh: ") and shown.err.count("\n") == 1
    assert not mesh.gateway.requests


@pytest.mark.parametrize(
    "command",
    [
        "",
        "recommed 42",
        "items",
        "similar",
        "recommend 42 -n ten",
        "recommend 42 --timeout 0",
        "recommend 42 --timeout nan",
        "items put 1 --attribute year",
        "items put 1 --attribute =1979",
    ],
)
def test_what_the_parser_refuses_ends_with_2(mesh: Mesh, command: str) -> None:
    assert refusal(command.split()) == 2


def test_an_empty_file_is_wrong_usage(mesh: Mesh, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text("\n")
    assert cli.main(["items", "put", "--file", str(path)]) == 2
    assert capsys.readouterr().err == "recmesh: the file is empty\n"


def test_items_put_sends_an_item(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "items put 1 --title Alien --text Space --category Horror --category Sci-Fi --created 5"
    attributes = ["--attribute", "year=1979", "--attribute", "country=United Kingdom", "--attribute", 'tags=["a"]']
    assert cli.main([*arguments.split(), *attributes]) == 0
    (item,) = mesh.request.items
    assert (item.id, item.title, item.text, list(item.categories), item.created) == (
        "1",
        "Alien",
        "Space",
        ["Horror", "Sci-Fi"],
        5.0,
    )
    assert (item.attributes["year"], item.attributes["country"], list(item.attributes["tags"])) == (
        1979.0,
        "United Kingdom",
        ["a"],
    )
    assert capsys.readouterr().out == "1 item stored; 1 of 4 replicas did not answer and will catch up\n"


def test_items_delete_says_how_many_were_there(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["items", "delete", "1214", "nothing"]) == 0
    assert capsys.readouterr().out == "1 item deleted, 1 not in the catalogue\n"


def test_history_prints_events(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "42", "-n", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "time (UTC)           event   value  title         item",
        "1970-01-02 00:00:00  rating  4.5    Alien (1979)  1214",
    ]
    assert cli.main(["history", "43"]) == 0
    assert capsys.readouterr().out == "nothing is known of user 43\n"


def test_forget_says_what_was_erased(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["forget", "42"]) == 0
    assert capsys.readouterr().out == "user 42 is forgotten: 12 events erased\n"


def test_status_prints_every_process(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "serving bundle b1, up for 1.5 min, build 0.1.0, doing 75% of the optional work",
        "retrieval 1 is away: that part of the catalogue is missing from every answer",
        "",
        "service      address         state      cost ms  in flight  calls  failed  ejected  bundles  last error",
        "retrieval 1  127.0.0.1:7200  probation   12.500          0  1,200       1        2  b1       "
        "2.5 min ago: reset",
        "",
        "service    in flight  limit  queued  retry budget  hedges  won  held back  panic",
        "retrieval          3  1,024       4        10.200      20    5  25%        yes",
        "",
        "wrong now:",
        "  retrieval 127.0.0.1:7200: does not answer",
    ]
