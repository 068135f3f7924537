"""Files of users: what they may hold, and what is said where they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import DatasetError
from training.recommend import Asker, read_askers


def askers(directory: Path, name: str, content: str | bytes) -> list[Asker]:
    file = directory / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_askers(file)


def test_a_user_a_line_and_items_after_tabs(tmp_path: Path) -> None:
    assert askers(tmp_path, "users.txt", "42\r\n\nnew\ta\tb\nü ser") == [
        Asker("42", []),
        Asker("new", ["a", "b"]),
        Asker("ü ser", []),
    ]


def test_json_lines_hold_any_id(tmp_path: Path) -> None:
    content = '{"user": "a\\tb", "history": ["x\\n", 7]}\n{"user": 42}\n'
    assert askers(tmp_path, "users.jsonl", content) == [Asker("a\tb", ["x\n", "7"]), Asker("42", [])]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("users.txt", "", r"users\.txt is empty; write a user id a line"),
        ("users.txt", "1\n\t5\n", r"users\.txt, line 2: no user"),
        ("users.txt", "1\t\t5\n", r"line 1: no item"),
        ("users.txt", "x" * 257, r"line 1: user is longer than 256 bytes"),
        ("users.txt", b"caf\xe9\n", r"is not UTF-8"),
        ("users.jsonl", "42x\n", r"line 1: not JSON; write an object"),
        ("users.jsonl", "42\n", r'line 1: write \{"user": "42"\}'),
        ("users.jsonl", '{"user": "1", "items": []}\n', r'line 1: write \{"user"'),
        ("users.jsonl", '{"user": "1", "history": "2"}\n', r'line 1: write \{"user"'),
        ("users.jsonl", '{"history": ["2"]}\n', r"line 1: no user"),
    ],
)
def test_unreadable_is_told_with_its_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        askers(tmp_path, name, content)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none cannot be read: No such file.*user id a line"):
        read_askers(tmp_path / "none")
