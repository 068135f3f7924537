"""The log, for machines and for people."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from recmesh.ops import log


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    handlers, level, raises = logging.root.handlers[:], logging.root.level, logging.raiseExceptions
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.raiseExceptions = raises


def lines(form: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    log.setup(form, level, "node-1", stream)
    return stream


def test_a_record_is_one_json_line() -> None:
    stream = lines("json")
    log.Logger("a.b").info("two\nlines", count=3, share=float("nan"), ids=("x", "y"))
    [line] = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "info", "logger": "a.b", "node": "node-1", "message": "two\nlines",
        "count": 3, "share": "nan", "ids": ["x", "y"],
    }  # fmt: skip


def test_secrets_are_left_out() -> None:
    stream = lines("json")
    log.Logger("a").warning("refused", api_key="k-123", headers={"Authorization": "Bearer k-123", "host": "h"})
    assert "k-123" not in stream.getvalue()
    assert json.loads(stream.getvalue())["headers"] == {"Authorization": "***", "host": "h"}


def test_a_field_is_cut_to_a_bounded_length() -> None:
    stream = lines("json")
    log.Logger("a").info("long", text="x" * 100_000, many=list(range(5_000)))
    assert len(stream.getvalue()) < 4_000


def test_fields_cannot_pose_as_the_record() -> None:
    stream = lines("json")
    log.Logger("a").info("said", level="critical", time="never")
    assert json.loads(stream.getvalue())["level"] == "info"


def test_errors_carry_their_traceback() -> None:
    stream = lines("json")
    try:
        raise KeyError("gone")
    except KeyError as error:
        log.Logger("a").error("failed", error, user="u")
    record = json.loads(stream.getvalue())
    assert record["error"].endswith("KeyError: 'gone'\n") and record["user"] == "u"


def test_people_read_one_line_without_control_characters() -> None:
    stream = lines("human")
    log.Logger("a").info("said", text="a\x1b[31mred\nline")
    [line] = stream.getvalue().splitlines()
    assert line.endswith("INFO    a: said  text=a?[31mred?line")


def test_a_terminal_gets_the_human_form_and_a_file_gets_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    log.setup("auto", "info", "", terminal)
    log.Logger("a").info("said")
    assert "a: said" in terminal.getvalue()
    file = lines("auto")
    log.Logger("a").info("said")
    assert json.loads(file.getvalue())["message"] == "said"


def test_lower_levels_are_left_out() -> None:
    stream = lines("json", "warning")
    log.Logger("a").info("said")
    log.Logger("a").debug("said")
    assert stream.getvalue() == ""
