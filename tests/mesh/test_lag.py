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
