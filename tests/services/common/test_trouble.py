"""One line when trouble begins and one when it is over."""

from __future__ import annotations

import logging

import pytest

from recmesh.ops.log import Logger
from services.common.trouble import QUIET_SECONDS, Trouble


def test_trouble_that_lasts_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    trouble = Trouble(Logger("tests"), lambda: now, path="p")
    trouble.worked()
    for _ in range(1_000):
        trouble.failed("it cannot be written", OSError("full"))
        now += 1.0
    trouble.worked()
    trouble.failed("it cannot be written", OSError("full"))
    now += QUIET_SECONDS
    trouble.worked()
    trouble.worked()
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", "it cannot be written"),
        ("INFO", "it works again"),
    ]
    assert [vars(each)["fields"] for each in caplog.records] == [
        {"reason": "full", "path": "p"},
        {"seconds": 1000.0, "failures": 1_001, "path": "p"},
    ]


def test_the_next_trouble_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    trouble = Trouble(Logger("tests"), lambda: now)
    for _ in range(2):
        trouble.failed("it cannot be written", "full")
        now += QUIET_SECONDS
        trouble.worked()
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == ["it cannot be written"] * 2
