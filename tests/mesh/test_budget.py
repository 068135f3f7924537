"""Budget, and the windows it counts in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.budget import Budget
from recmesh.mesh.window import Window
from recmesh.testing import FakeClock


def spent(budget: Budget) -> int:
    count = 0
    while budget.spend():
        count += 1
    return count


def test_ten_calls_earn_one_attempt_beside_the_floor() -> None:
    budget = Budget(FakeClock(), floor=0.0)
    for _ in range(9):
        budget.earned()
    assert not budget.spend()
    budget.earned()
    assert budget.level == 1.0
    assert budget.spend() and not budget.spend()
    assert budget.level == 0.0


def test_the_floor_is_there_without_traffic_and_comes_back_after_the_ttl() -> None:
    clock = FakeClock()
    budget = Budget(clock, ttl=10.0, floor=1.0)
    assert spent(budget) == 10
    clock.advance(8.9)
    assert spent(budget) == 0
    clock.advance(1.1)
    assert spent(budget) == 10


def test_what_was_earned_is_forgotten_after_the_ttl() -> None:
    clock = FakeClock()
    budget = Budget(clock, floor=0.0)
    for _ in range(100):
        budget.earned()
    clock.advance(10.0)
    assert not budget.spend()


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(0, 30), st.integers(0, 20)), max_size=60))
def test_over_any_time_no_more_is_spent_than_was_earned_and_the_floor_gave(
    turns: list[tuple[float, int, int]],
) -> None:
    clock = FakeClock()
    budget = Budget(clock, earn=0.1, ttl=10.0, floor=1.0)
    earned = paid = 0
    for pause, calls, wanted in turns:
        clock.advance(pause)
        for _ in range(calls):
            budget.earned()
        earned += calls
        paid += sum(budget.spend() for _ in range(wanted))
        assert paid <= 0.1 * earned + 1.0 * (clock.seconds() + 10.0) + 1e-6


@given(st.lists(st.tuples(st.floats(0.0, 4.0), st.integers(1, 5)), max_size=50))
def test_a_window_holds_the_last_seconds_to_within_a_slice(additions: list[tuple[float, int]]) -> None:
    window, now, added = Window(10.0), 0.0, list[tuple[float, int]]()
    for pause, amount in additions:
        now += pause
        window.add(now, amount)
        added.append((now, amount))
        least = sum(amount for at, amount in added if at > now - 9.0 + 1e-6)
        most = sum(amount for at, amount in added if at > now - 10.0 - 1e-6)
        assert least <= window.total(now) <= most


def test_a_window_long_unused_is_empty() -> None:
    window = Window(10.0)
    window.add(5.0, 3)
    assert window.total(5.0) == 3
    assert window.total(1e9) == 0
