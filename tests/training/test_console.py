"""What commands show on a terminal and in a log."""

from __future__ import annotations

import contextlib
import io

from training.console import Console, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_one_line_a_stage_that_shows_what_is_being_done() -> None:
    clock, err = Clock(), io.StringIO()
    console = Console(io.StringIO(), err, clock)
    with console.stage("count", 3) as stage:
        stage.advance()
        clock.now += 1.5
        assert err.getvalue() == "count ..."
    assert err.getvalue() == "count ... 1.5 s\n"


def test_a_long_stage_tells_in_a_log_how_much_is_left() -> None:
    clock, err = Clock(), io.StringIO()
    with Console(io.StringIO(), err, clock).stage("count", 4) as stage:
        for _ in range(4):
            clock.now += 15
            stage.advance()
    assert err.getvalue() == "count ... 50%, 30 s left ... 60.0 s\n"


def test_a_terminal_gets_a_bar_with_the_time_left() -> None:
    err = Terminal()
    with Console(io.StringIO(), err).stage("count", 4) as stage:
        stage.advance(4)
    assert "count: 100%" in err.getvalue()
    assert "4/4 [" in err.getvalue() and "<" in err.getvalue(), "elapsed<left"


def test_seconds_of_stages_of_one_name_add_up_also_of_those_that_fail() -> None:
    clock, out = Clock(), io.StringIO()
    console = Console(out, io.StringIO(), clock)
    with console.stage("a", 1):
        clock.now += 2
    with contextlib.suppress(RuntimeError), console.stage("b", 1):
        clock.now += 3
        raise RuntimeError
    with console.stage("a", 1):
        clock.now += 4
    assert console.seconds == {"a": 6.0, "b": 3.0}
    console.summary()
    *stages, peak = out.getvalue().splitlines()
    assert stages == ["stage      seconds", "a              6.0", "b              3.0", "whole run      9.0"]
    assert peak.startswith("at most ") and peak.endswith(" MiB of memory")


def test_the_summary_leaves_out_stages_that_took_no_time() -> None:
    clock, out = Clock(), io.StringIO()
    console = Console(out, io.StringIO(), clock)
    with console.stage("short", 1):
        clock.now += 0.01
    with console.stage("long", 1):
        clock.now += 5
    console.summary()
    assert "short" not in out.getvalue() and "long" in out.getvalue()
    assert list(console.seconds) == ["short", "long"]


def test_tables_line_up() -> None:
    assert list(table(("model", "k"), [("blend", "0.25"), ("x", "1")])) == [
        "model     k",
        "blend  0.25",
        "x         1",
    ]
