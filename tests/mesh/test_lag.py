"""Lag."""

from __future__ import annotations

import pytest

from recmesh.mesh.lag import INTERVAL, Lag
from recmesh.testing import FakeClock, begin


def test_it_is_how_late_a_timer_fires() -> None:
    clock = FakeClock()
    lag = Lag(clock)
    watching = begin(lag.watch())
    for _ in range(3):
        clock.advance(INTERVAL)
    assert lag.seconds == pytest.approx(0.0)
    for _ in range(2):
        clock.advance(INTERVAL + 0.3)
    assert lag.seconds == pytest.approx(0.3)
    clock.advance(INTERVAL)
    assert lag.seconds == pytest.approx(0.0)
    watching.cancel()
    assert not clock.timers


def test_one_long_pause_is_no_overload() -> None:
    clock = FakeClock()
    lag = Lag(clock)
    watching = begin(lag.watch())
    clock.advance(INTERVAL)
    clock.advance(5.0)
    assert lag.seconds == 0.0
    watching.cancel()


def test_calls_that_are_read_together_are_late_while_the_first_of_them_keep_the_thread_busy() -> None:
    clock = Busy()
    lag = Lag(clock)
    watching = begin(lag.watch())
    assert lag.of_call() == 0.0
    clock.spent = INTERVAL + 0.2
    assert lag.of_call() == pytest.approx(0.2)
    clock.spent += 0.1
    assert lag.of_call() == pytest.approx(0.3)
    assert lag.seconds == 0.0
    watching.cancel()


def test_a_pause_before_the_first_call_makes_none_late() -> None:
    """The process was stopped, or another had the processor."""
    clock = Busy()
    lag = Lag(clock)
    watching = begin(lag.watch())
    clock.spent = 10.0
    assert lag.of_call() == 0.0
    clock.spent = 10.1
    assert lag.of_call() == pytest.approx(0.1)
    watching.cancel()


def test_calls_are_not_late_where_nobody_measures_or_nobody_does_any_more() -> None:
    clock = Busy()
    lag = Lag(clock)
    lag.of_call()
    clock.spent = 10.0
    assert lag.of_call() == 0.0
    watching = begin(lag.watch())
    watching.cancel()
    lag.of_call()
    clock.spent = 20.0
    assert lag.of_call() == 0.0


class Busy(FakeClock):
    """Time passes, and no timer fires."""

    def __init__(self) -> None:
        super().__init__()
        self.spent = 0.0
        self.seconds = lambda: self.reactor.seconds() + self.spent
