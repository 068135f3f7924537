"""What is wrong with a dataset is said with its place and remedy, and no row is lost in silence."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.training.datasets.support import lines, read, rejected, rows
from training.datasets import files
from training.datasets.reader import read_dataset
from training.datasets.rejects import ROW_CHARACTERS, Rejects
from training.errors import DatasetError
from training.progress import SilentProgress

GOOD = "user,item\n" + "u,a\n" * 300


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with Rejects(tmp_path / "r") as rejects, pytest.raises(DatasetError, match="nowhere: no such directory"):
        read_dataset(tmp_path / "nowhere", rejects, SilentProgress())


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"readme.txt": "hello"},
        {"items.csv": "item,title\na,One\n"},
        {"notes.jsonl": '{"a": 1}\n'},
        {"notes.jsonl": "[[["},
    ],
)
def test_a_directory_without_interactions_says_what_is_expected(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(DatasetError, match=r"no interactions found.*interactions\.csv.*dataset\.toml"):
        read(tmp_path, files)


@pytest.mark.parametrize("content", ["user,item\n", "", "\n"])
def test_a_table_without_rows_is_no_dataset(tmp_path: Path, content: str) -> None:
    with pytest.raises(DatasetError, match=r"not one usable interaction in interactions\.csv"):
        read(tmp_path, {"interactions.csv": content})


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no column for the user; it has customer, item.*columns = \{ user = "):
        read(tmp_path, {"interactions.csv": "customer,item\nu,a\n"})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",a,1,1", "no user"),
        ("u,,1,1", "no item"),
        (f"u,{'x' * 257},1,1", "item is longer than 256 bytes"),
        (f"u,{'é' * 129},1,1", "item is longer than 256 bytes"),
        ("u,a,four,1", "value is not a number"),
        ("u,a,nan,1", "value is not a finite number"),
        ("u,a,1_0,1", "value is not a number"),
        ("u,a,9,1", "rating is outside its scale; dataset.toml can give another, as scale = [1, 10]"),
        ("u,a,1,yesterday", "timestamp is neither a Unix time nor an ISO 8601 date"),
        ("u,a,1,-1", "timestamp is before 1970"),
        ("u,a,1,1e300", "timestamp is after the year 9999"),
        ("u,a,1", "not as many fields as the header"),
        ("u,a,1,1,1", "not as many fields as the header"),
        ('u,"a"b,1,1', "not CSV: ',' expected after '\"'"),
    ],
)
def test_a_bad_row_is_written_down_with_place_and_reason(tmp_path: Path, row: str, reason: str) -> None:
    good = "u,b,1,1\n" * 100
    dataset = read(tmp_path, {"interactions.csv": f"user,item,value,timestamp\nu,c,5,1\n{row}\n{good}"})
    assert len(dataset.events) == 101
    assert dataset.rejected == {"interactions.csv": {reason: 1}}
    found = rejected(tmp_path)
    assert [(one["file"], one["line"], one["reason"]) for one in found] == [("interactions.csv", 3, reason)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"user": "u"', "not JSON"),
        ('["u", "a"]', "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"user": true, "item": "a"}', "user is not an id"),
        ('{"user": ["u"], "item": "a"}', "user is not an id"),
        ('{"user": 1.5, "item": "a"}', "user is not an id"),
        ('{"user": "\\ud800", "item": "a"}', "user has bytes that are not of the encoding"),
        ('{"user": "u", "item": "a", "value": 1e999}', "value is not a finite number"),
        ('{"user": "u", "item": "a", "value": true}', "value is not a number"),
        ('{"user": "u", "item": "a", "timestamp": {}}', "timestamp is neither a Unix time nor an ISO 8601 date"),
        ('{"user": "u", "item": "a", "text": 5}', "text is not a text"),
    ],
)
def test_a_bad_line_of_json_is_written_down(tmp_path: Path, line: str, reason: str) -> None:
    content = line + "\n" + lines({"user": "u", "item": "a"}) * 200
    dataset = read(tmp_path, {"interactions.jsonl": content})
    assert len(dataset.events) == 200
    assert [(one["line"], one["reason"]) for one in rejected(tmp_path)] == [(1, reason)]


def test_bytes_of_another_encoding_reject_their_row_alone(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"interactions.csv": GOOD.encode() + b"caf\xe9,a\n"})
    assert dataset.rejected == {"interactions.csv": {"user has bytes that are not of the encoding": 1}}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_header_of_another_encoding_is_called_that(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(
        DatasetError, match=r"interactions\.csv: the header is not utf-8; set encoding in dataset\.toml"
    ):
        read(tmp_path, {"interactions.csv": GOOD.encode(encoding)})


@pytest.mark.parametrize("name", ["interactions.csv", "interactions.jsonl", "sequences.txt"])
def test_a_line_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 1_000)
    fits = "user,item\nu,a\n" if name.endswith("csv") else ""
    with pytest.raises(DatasetError, match=rf"{name}: line {3 if fits else 1} is longer than 1,000 characters"):
        read(tmp_path, {name: fits + "x" * 1_001})


@pytest.mark.parametrize("value", ["9" * 400, "1e400", "-" + "9" * 400])
def test_a_number_beyond_all_numbers_is_no_attribute(tmp_path: Path, value: str) -> None:
    items = f'{{"item": "a", "price": {value}}}\n' + lines(*({"item": f"b{n}", "price": 1} for n in range(200)))
    dataset = read(tmp_path, {"interactions.csv": GOOD, "items.jsonl": items})
    assert len(dataset.items) == 200
    assert [one["line"] for one in rejected(tmp_path)] == [1] and "price" in rejected(tmp_path)[0]["reason"]


def test_a_named_encoding_is_used(tmp_path: Path) -> None:
    table = "user,item\ncafé,a\n".encode("latin-1")
    described = '[interactions]\nencoding = "latin-1"\n'
    assert rows(read(tmp_path, {"interactions.csv": table, "dataset.toml": described}))[0][0] == "café"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert len(read(tmp_path, {"interactions.csv": b"\xef\xbb\xbf" + GOOD.encode()}).events) == 300


def test_a_quote_that_never_ends_counts_every_line_it_takes(tmp_path: Path) -> None:
    content = GOOD + 'u,"a\n' + "u,a\n" * 9
    dataset = read(tmp_path, {"interactions.csv": content}, max_rejects=0.1)
    assert dataset.rows == {"interactions.csv": 310}
    assert dataset.rejected == {"interactions.csv": {"not CSV: unexpected end of data": 10}}


def test_too_many_rejects_stop_the_run_with_place_and_remedy(tmp_path: Path) -> None:
    content = GOOD + ",a\n" * 4
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, {"interactions.csv": content})
    message = str(caught.value)
    assert "interactions.csv: 4 of 304 rows" in message
    assert "more than the 1.0% allowed" in message
    assert "First on line 302, 303, 304, 305; most often: no user" in message
    assert "rejects.jsonl" in message and "--max-rejects" in message
    assert len(rejected(tmp_path)) == 4


def test_exactly_the_allowed_share_passes(tmp_path: Path) -> None:
    assert len(read(tmp_path, {"interactions.csv": "user,item\n" + "u,a\n" * 99 + ",a\n"}).events) == 99


def test_a_file_of_garbage_stops_early(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"1,000 of 1,000 rows cannot be used.*line 1, 2, 3, 4, 5, \.\.\.; most often: not JSON"
    ):
        read(tmp_path, {"interactions.jsonl": "garbage\n" * 5_000}, max_rejects=1.0)


def test_rejects_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    read(tmp_path, {"interactions.csv": GOOD + ",a\n"})
    assert rejected(tmp_path)
    read(tmp_path, {"interactions.csv": GOOD})
    assert not rejected(tmp_path)


def test_a_long_row_is_cut_in_the_rejects(tmp_path: Path) -> None:
    read(tmp_path, {"interactions.jsonl": lines({"user": "u", "item": "a"}) * 200 + "x" * 100_000 + "\n"})
    assert len(rejected(tmp_path)[0]["row"]) == ROW_CHARACTERS


def test_an_item_described_twice_is_rejected_the_second_time(tmp_path: Path) -> None:
    files = {"interactions.csv": GOOD, "items.csv": "item,title\na,First\na,Second\n"}
    dataset = read(tmp_path, files, max_rejects=0.5)
    assert dataset.items["a"].title == "First"
    assert dataset.rejected == {"items.csv": {"the item is described on an earlier line": 1}}


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "interactions.csv.gz").write_bytes(gzip.compress(GOOD.encode())[:-12])
    with pytest.raises(DatasetError, match=r"interactions\.csv\.gz is damaged or cut short"):
        read(tmp_path, {})


@pytest.mark.parametrize("name", ["interactions.csv.gz", "interactions.csv.xz", "interactions.parquet"])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(b"something else entirely")
    with pytest.raises(DatasetError, match=name.replace(".", r"\.")):
        read(tmp_path, {})


def test_the_same_table_twice_is_ambiguous(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"interactions\.csv\.gz stands beside interactions\.csv"):
        read(tmp_path, {"interactions.csv": GOOD, "interactions.csv.gz": GOOD})
    with pytest.raises(DatasetError, match=r"interactions\.csv and interactions\.jsonl are both there"):
        read(tmp_path / "data", {"interactions.csv": GOOD, "interactions.jsonl": ""})


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[interactions]\ncolums = {}\n", r'unknown key "colums" in \[interactions\]; did you mean "columns"\?'),
        ("[interaction]\n", r'unknown key "interaction"; did you mean "interactions"\?'),
        ('[items.columns]\ntitel = "t"\n', r'unknown key "titel" in \[items\.columns\]; did you mean "title"\?'),
        ("[weights]\nlike = nan\n", r"weights\.like must be finite, it is nan"),
        ("[weights]\nlike = 1e300\n", r"weights\.like is 1e\+300; a like weighs 1"),
        ("[weights]\nlike = -1e-9\n", r"weights\.like is -1e-09; a like weighs 1"),
        ("[interactions]\nscale = [1, inf]\n", r"interactions\.scale\[1\] must be finite, it is inf"),
        ('[items]\nseparator = ""\n', r"items: separator must not be empty"),
        ('[items]\ndelimiter = "\\n"\n', r"items: delimiter .* no line end"),
        ('[items]\nheader = ["item", "item"]\n', r"items: header names a column twice: item, item"),
        ("zzz = 1\n", r'unknown key "zzz"; known are: .*layout'),
        ("name = 5\n", r"name must be a string, it is 5"),
        ("[weights]\nlike = true\n", r"weights\.like must be a number, it is True"),
        ("[interactions]\nscale = [5]\n", r"interactions\.scale needs 2 values, it has 1"),
        ("[interactions]\nscale = [5, 1]\n", r"interactions: scale must be the worst and then the best"),
        ('[items]\ntitles = "book"\n', r'items: titles = "book" is not known'),
        ('[items]\ndelimiter = "::"\n', r"items: delimiter .* must be one character"),
        ("not toml", r"is not valid TOML"),
        ('layout = "movielense"\n', r'layout "movielense" is not known; known are: .*movielens'),
        ('[texts]\nfile = "plots.csv"\n', r"plots\.csv: no such file"),
        ('[interactions]\nencoding = "latin-99"\n', r"unknown encoding: latin-99; set encoding in dataset\.toml"),
    ],
)
def test_a_wrong_dataset_toml_is_told_key_by_key(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, {"interactions.csv": GOOD, "dataset.toml": toml})
