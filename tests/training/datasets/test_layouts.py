"""Each layout on the smallest files that show it."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data import ItemInfo
from tests.training.datasets.support import lines, read, rejected, rows, write
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.errors import DatasetError
from training.progress import SilentProgress

MOVIELENS = {
    "ratings.csv": "userId,movieId,rating,timestamp\r\n"
    "1,31,4.0,964982703\r\n1,10,0.5,964981247\r\n2,31,2.0,964982224\r\n",
    "movies.csv": "movieId,title,genres\r\n"
    '31,"Matrix, The (1999)",Action|Sci-Fi\r\n10,Babylon 5,(no genres listed)\r\n',
    "tags.csv": "userId,movieId,tag,timestamp\r\n1,31,Dark,1\r\n2,31,hero,2\r\n3,31,Hero ,3\r\n",
    "links.csv": "movieId,imdbId,tmdbId\r\n31,0133093,\r\n",
}


def test_movielens(tmp_path: Path) -> None:
    dataset = read(tmp_path, MOVIELENS)
    assert dataset.layout == "movielens"
    assert rows(dataset) == [
        ("1", "31", "rating", 4.0, 964982703.0),
        ("1", "10", "rating", 0.5, 964981247.0),
        ("2", "31", "rating", 2.0, 964982224.0),
    ]
    assert list(dataset.items.values()) == [
        ItemInfo(
            "31", "The Matrix", categories=("Action", "Sci-Fi"), attributes={"year": 1999, "tags": ("hero", "dark")}
        ),
        ItemInfo("10", "Babylon 5"),
    ]
    assert dataset.not_read == ["links.csv"]
    assert dataset.notes == {"titles without a year": 1}


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_every_compression_reads_the_same(tmp_path: Path, ending: str) -> None:
    dataset = read(tmp_path, {name + ending: content for name, content in MOVIELENS.items()})
    assert len(rows(dataset)) == 3
    assert dataset.rows == {
        f"{name}{ending}": count for name, count in {"movies.csv": 2, "tags.csv": 3, "ratings.csv": 3}.items()
    }


def test_movielens_100k_in_latin_1(tmp_path: Path) -> None:
    flags = "|".join("1" if place in (1, 5) else "0" for place in range(19))  # after "unknown": Action, Comedy
    dataset = read(
        tmp_path,
        {
            "u.data": "196\t242\t3\t881250949\n",
            "u.item": f"242|Misérables, Les (1995)|01-Jan-1995||http://example.org/|{flags}\n".encode("latin-1"),
            "u.user": "196|49|M|writer|55105\n",
            "u.genre": "unknown|0\n",
        },
    )
    assert dataset.layout == "movielens-100k"
    assert rows(dataset) == [("196", "242", "rating", 3.0, 881250949.0)]
    assert dataset.items == {
        "242": ItemInfo("242", "Les Misérables", categories=("Action", "Comedy"), attributes={"year": 1995})
    }
    assert dataset.users == {"196": {"age": "49", "gender": "M", "occupation": "writer", "zip code": "55105"}}


def test_sequences_have_their_order_and_no_times(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"sequences.txt.gz": "u1 b a b\n\nu2 c\nu1 d\n"})
    assert dataset.layout == "sequences"
    assert [row[:2] for row in rows(dataset)] == [("u1", "b"), ("u1", "a"), ("u1", "b"), ("u2", "c"), ("u1", "d")]
    assert all(math.isnan(row[4]) for row in rows(dataset))


def test_amazon_reviews_are_told_by_their_first_line(tmp_path: Path) -> None:
    review = {
        "reviewerID": "A1",
        "asin": "B00",
        "helpful": [1, 2],
        "reviewText": "Fine.",
        "overall": 5.0,
        "unixReviewTime": 1393545600,
    }
    dataset = read(tmp_path, {"Gadgets_5.json.gz": lines(review, {**review, "reviewerID": "A2", "reviewText": ""})})
    assert dataset.layout == "amazon-reviews"
    assert rows(dataset) == [("A1", "B00", "rating", 5.0, 1393545600.0), ("A2", "B00", "rating", 5.0, 1393545600.0)]
    assert dict(dataset.events.texts) == {0: "Fine."}


LOG = lines(
    {"event_id": "e1", "user_id": "u", "item_id": "a", "type": "like", "timestamp": 5.5, "impression_id": "x"},
    {"event_id": "e2", "user_id": "u", "item_id": "b", "type": "", "value": None, "timestamp": 6.5, "text": "so so"},
    {"event_id": "e3", "user_id": "v", "item_id": "b", "type": "rating", "value": 4.5, "timestamp": 7},
)


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.xz", "log-of-today.jsonl"])
def test_an_exported_event_log_is_a_dataset(tmp_path: Path, name: str) -> None:
    dataset = read(tmp_path, {name: LOG})
    assert dataset.layout == "events"
    found = rows(dataset)
    assert [row[:3] for row in found] == [("u", "a", "like"), ("u", "b", "view"), ("v", "b", "rating")]
    assert found[2][3:] == (4.5, 7.0)
    assert dict(dataset.events.texts) == {1: "so so"}


def test_an_event_log_beside_a_dataset_adds_to_it(tmp_path: Path) -> None:
    dataset = read(tmp_path, {**MOVIELENS, "events.jsonl": LOG})
    assert dataset.layout == "movielens"
    assert [row[2] for row in rows(dataset)] == ["rating"] * 3 + ["like", "view", "rating"]


def test_a_single_file_is_a_dataset(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(LOG)
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        dataset = read_dataset(path, rejects, SilentProgress())
    assert dataset.name == "log"
    assert len(dataset.events) == 3


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("clicks.csv", "user,item\nu,a\nu,b\n", "tables"),
        ("clicks.tsv.gz", "user\titem\nu\ta\nu\tb\n", "tables"),
        ("clicks.jsonl", lines({"user": "u", "item": "a"}, {"user": "u", "item": "b"}), "tables"),
        ("Beauty.txt.xz", "u a b\n", "sequences"),
    ],
)
def test_a_single_file_is_what_its_format_says(tmp_path: Path, name: str, content: str, layout: str) -> None:
    path = write(tmp_path, {name: content}) / name
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        dataset = read_dataset(path, rejects, SilentProgress())
    assert dataset.layout == layout and dataset.name == name.partition(".")[0]
    assert [row[:2] for row in rows(dataset)] == [("u", "a"), ("u", "b")]


@pytest.mark.parametrize("name", ["picture.png", "notes.md.gz"])
def test_a_single_file_that_can_be_nothing_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, {name: "x"}) / name
    with Rejects(tmp_path / "rejects.jsonl") as rejects, pytest.raises(DatasetError, match="no interactions found"):
        read_dataset(path, rejects, SilentProgress())


def test_opinions_are_texts_and_the_stars_they_stand_for(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        {
            "interactions.csv": "user,item\nu,a\n",
            "opinions.csv": "text,label\nfine,1\n,1\ndull,0\nmute,\nloud,7\n",
            "dataset.toml": "[opinions]\nscale = [0, 1]\n",
        },
        max_rejects=0.6,
    )
    assert list(dataset.opinions) == [("fine", 5.0), ("dull", 1.0)]
    assert [row["line"] for row in rejected(tmp_path)] == [3, 5, 6]


def test_opinions_alone_are_no_dataset_unless_they_are_asked_for(tmp_path: Path) -> None:
    data = write(tmp_path, {"opinions.csv": "text,value\nfine,5\n"})
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        with pytest.raises(DatasetError, match="no interactions"):
            read_dataset(data, rejects, SilentProgress())
        assert list(read_dataset(data, rejects, SilentProgress(), opinions_suffice=True).opinions) == [("fine", 5.0)]


def test_tables_in_csv(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        {
            "interactions.csv": "user,item,event,value,timestamp,text\n"
            "u,a,play,0.5,2024-05-01T10:00:00Z,\nv,a,,3,1714557600,ok\n",
            "items.csv": "item,title,text,categories,attributes,created,price,code\n"
            'a,One,"Two lines,\nquoted",x|y,"{""live"": true}",1714557600,9.5,007\nb,,,,,,10,1\n',
            "users.csv": "user,country\nu,NZ\n",
        },
    )
    assert rows(dataset)[0] == ("u", "a", "play", 0.5, 1714557600.0)
    assert rows(dataset)[1][2:4] == ("rating", 3.0)
    assert dataset.items["a"] == ItemInfo(
        "a",
        "One",
        "Two lines,\nquoted",
        ("x", "y"),
        {"price": 9.5, "code": "007", "live": True},
        created=1714557600.0,
    )
    assert dataset.items["b"].attributes == {"price": 10.0, "code": "1"}, "a column with 007 in it holds no numbers"
    assert dataset.users == {"u": {"country": "NZ"}}


def test_tables_in_json_lines(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        {
            "interactions.jsonl": lines({"user": 7, "item": 1.0}, {"user": "7", "item": "1", "event": "like"}),
            "items.jsonl": lines(
                {"item": 1, "title": "Ünï", "categories": ["x", "x"], "attributes": {"year": 1979}, "size": {"w": 1}}
            ),
        },
    )
    assert [row[:3] for row in rows(dataset)] == [("7", "1", "view"), ("7", "1", "like")]
    assert dataset.items == {"1": ItemInfo("1", "Ünï", categories=("x",), attributes={"year": 1979})}
    assert dataset.notes == {"values of the attribute size left out, for they are nested": 1}


def parquet(table: Mapping[str, list[object]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(dict(table)), out)
    return out.getvalue()


def test_tables_in_parquet(tmp_path: Path) -> None:
    table: dict[str, list[object]] = {"user": ["u", None], "item": [1, 2], "time": [date(2024, 5, 1), date(2024, 5, 2)]}
    dataset = read(tmp_path, {"interactions.parquet": parquet(table)}, max_rejects=0.5)
    assert [(*row[:2], row[4]) for row in rows(dataset)] == [("u", "1", 1714521600.0)]
    assert [(row["line"], row["reason"]) for row in rejected(tmp_path)] == [(2, "no user")]


def test_texts_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        {
            **MOVIELENS,
            "plots.jsonl.gz": lines({"movieId": 31, "text": "A hacker."}),
            "dataset.toml": 'name = "films"\n[texts]\nfile = "plots.jsonl"\ncolumns = { item = "movieId" }\n',
        },
    )
    assert dataset.name == "films"
    assert dataset.items["31"].text == "A hacker."
    assert dataset.items["10"].text == ""
