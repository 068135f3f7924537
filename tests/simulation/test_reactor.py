"""Virtual time: what is due happens once, at its time, in order."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.task import Clock

from tests.simulation.reactor import Later, Reactor

Steps: TypeAlias = list[tuple[str, int, int]]
"""What is done, with which of the timers that are set, and a number of seconds."""

END = 100  # seconds, by when every timer has rung

steps = st.lists(st.tuples(st.sampled_from(["set", "cancel", "reset", "delay"]), st.integers(0, 9), st.integers(0, 9)))


@given(steps)
def test_it_does_what_twisteds_own_clock_does(done: Steps) -> None:
    ours, theirs = Reactor(), Clock()
    rung, expected = _do(ours, done), _do(theirs, done)
    assert len(ours.getDelayedCalls()) == len(theirs.getDelayedCalls())
    ours.run(END)
    theirs.pump([0] + [1] * END)
    assert sorted(rung) == sorted(expected)
    assert [at for at, _ in rung] == sorted(at for at, _ in rung)
    assert not ours.getDelayedCalls()


def _do(reactor: Reactor | Clock, done: Steps) -> list[tuple[float, int]]:
    """When which timer rings; filled as time goes on."""
    rung: list[tuple[float, int]] = []
    timers: list[Later] = []
    for what, which, seconds in done:
        if what == "set":
            timer = reactor.callLater(seconds, lambda number: rung.append((reactor.seconds(), number)), len(timers))
            timers.append(timer)  # type: ignore[arg-type]
        elif active := [timer for timer in timers if timer.active()]:
            timer = active[which % len(active)]
            if what == "cancel":
                timer.cancel()
            else:
                getattr(timer, what)(seconds)
    return rung


def test_equals_ring_in_the_order_they_were_set() -> None:
    reactor, rung = Reactor(), list[int]()
    for number in range(5):
        reactor.callLater(1.0, rung.append, number)
    reactor.run(1.0)
    assert rung == [0, 1, 2, 3, 4]


def test_a_timer_set_by_another_rings_in_the_same_run() -> None:
    reactor, rung = Reactor(), list[float]()
    reactor.callLater(1.0, lambda: reactor.callLater(2.0, lambda: rung.append(reactor.seconds())))
    reactor.run(5.0)
    assert rung == [3.0]
    assert reactor.seconds() == 5.0


def test_what_is_over_cannot_be_cancelled() -> None:
    reactor = Reactor()
    rung, cancelled = reactor.callLater(1.0, list), reactor.callLater(1.0, list)
    cancelled.cancel()
    reactor.run(1.0)
    with pytest.raises(AlreadyCalled):
        rung.cancel()
    with pytest.raises(AlreadyCancelled):
        cancelled.cancel()
