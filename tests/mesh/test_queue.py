"""Queue: the order in which calls that wait are let in."""

from __future__ import annotations

from recmesh.mesh.queue import STANDING_PATIENCE, STANDING_SECONDS, Queue, Waiting
from recmesh.testing import Begun, FakeClock, begin

PATIENCE = 0.05


class Row:
    """A queue whose calls have names."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.queue = Queue(self.clock, PATIENCE)
        self.waiting: dict[str, Waiting] = {}
        self.waits: dict[str, Begun[None]] = {}

    def join(self, name: str, most: float = 10, seconds: float = 9.0) -> bool:
        waiting = self.queue.join(most, seconds)
        if waiting is not None:
            self.waiting[name] = waiting
            self.waits[name] = begin(self.queue.wait(waiting))
        return waiting is not None

    def let_in(self) -> str:
        waiting = self.queue.next()
        if waiting is None:
            return ""
        waiting.admitted = True
        waiting.gate.open()
        return next(name for name, each in self.waiting.items() if each is waiting)

    def gone(self, name: str) -> bool:
        return self.waits[name].done

    def until_it_stands(self) -> None:
        """Somebody waits all the time."""
        self.join("first filler")
        while not self.queue.stands:
            self.join(f"filler at {self.clock.seconds()}")
            self.clock.advance(0.02)
            self.let_in()


def test_a_burst_is_let_in_first_come_first_served() -> None:
    row = Row()
    for name in "abc":
        row.join(name)
    assert [row.let_in() for _ in "abcd"] == ["a", "b", "c", ""]
    assert all(row.gone(name) for name in "abc")
    assert not row.clock.timers and not len(row.queue)


def test_nobody_waits_longer_than_the_queues_patience_or_his_own() -> None:
    row = Row()
    row.join("patient")
    row.join("hurried", seconds=0.01)
    row.clock.advance(0.011)
    assert row.gone("hurried") and not row.gone("patient")
    row.clock.advance(PATIENCE)
    assert row.gone("patient") and not len(row.queue)
    assert not any(each.admitted for each in row.waiting.values())


def test_one_too_many_is_turned_away_while_a_burst_waits() -> None:
    row = Row()
    assert [row.join(name, most=2) for name in "abc"] == [True, True, False]


def test_a_queue_that_stands_lets_the_newest_in_first_and_has_little_patience() -> None:
    row = Row()
    row.until_it_stands()
    row.join("old")
    row.clock.advance(0.001)
    row.join("new")
    assert [row.let_in(), row.let_in()] == ["new", "old"]
    row.join("late")
    row.clock.advance(STANDING_PATIENCE)
    assert row.gone("late") and not row.waiting["late"].admitted


def test_in_a_queue_that_stands_few_wait() -> None:
    row = Row()
    row.until_it_stands()
    joined = [row.join(f"new {turn}", most=12) for turn in range(9)]
    assert len(row.queue) == 3
    assert not joined[-1]


def test_a_queue_that_was_empty_for_a_moment_does_not_stand() -> None:
    row = Row()
    row.until_it_stands()
    while row.let_in():
        pass
    row.join("a")
    row.clock.advance(0.01)
    row.join("b")
    assert not row.queue.stands and row.let_in() == "a"


def test_d04_who_waited_beyond_his_time_is_not_let_in() -> None:
    """As after a pause of the whole process, when the timers have not fired yet."""
    row = Row()
    row.join("late")
    row.clock.reactor.rightNow += STANDING_SECONDS
    row.join("in time")
    assert row.let_in() == "in time"
    assert not row.waiting["late"].admitted


def test_who_is_cancelled_leaves_the_queue() -> None:
    row = Row()
    row.join("a")
    row.waits["a"].cancel()
    assert not len(row.queue) and not row.clock.timers
    assert row.let_in() == ""
