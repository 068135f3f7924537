"""The search: begins with what is there, keeps its trials, goes on where it stopped, and ends by its bounds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.errors import DatasetError, SettingsError
from training.tune.search import Bounds, Outcome, search
from training.tune.space import Choice, Options, Range

SPACE: Mapping[str, Choice] = {"a.x": Range(0.1, 10.0), "a.n": Options((1, 2, 4))}
FIRST = {"a.x": 5.0, "a.n": 1.0}


def hill(values: Mapping[str, float]) -> float:
    """Best at x = 1, n = 4."""
    return 1.0 - 0.1 * abs(values["a.x"] - 1) - 0.05 * abs(values["a.n"] - 4)


def go(file: Path, trials: int, seen: list[Mapping[str, float]], seconds: float = 60.0, name: str = "s") -> Outcome:
    pytest.importorskip("optuna", reason="the extra `tune` is not installed")

    def quality(values: Mapping[str, float]) -> float:
        seen.append(values)
        return hill(values)

    return search(file, name, SPACE, FIRST, quality, Bounds(trials, seconds), 0, lambda *told: None)


def test_it_begins_with_what_is_there_and_gets_better(tmp_path: Path) -> None:
    seen: list[Mapping[str, float]] = []
    found = go(tmp_path / "trials.jsonl", 25, seen)
    assert seen[0] == FIRST
    assert found.usual == pytest.approx(hill(FIRST))
    assert found.best > found.usual + 0.1
    assert found.best == pytest.approx(hill(found.values))
    assert (found.trials, len(seen)) == (25, 25)


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "trials.jsonl"
    first: list[Mapping[str, float]] = []
    again: list[Mapping[str, float]] = []
    go(file, 3, first)
    found = go(file, 5, again)
    assert (len(first), len(again), found.trials) == (3, 2, 5)
    assert not [values for values in again if values in first]
    assert go(file, 5, again) == found, "there is nothing left to do"
    assert len(again) == 2


def test_the_same_seed_makes_the_same_trials(tmp_path: Path) -> None:
    one: list[Mapping[str, float]] = []
    other: list[Mapping[str, float]] = []
    go(tmp_path / "one", 12, one)
    go(tmp_path / "other", 12, other)
    assert one == other


def test_a_trial_that_was_stopped_is_not_counted(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra `tune` is not installed")

    def stopped(values: Mapping[str, float]) -> float:
        raise KeyboardInterrupt

    file = tmp_path / "trials.jsonl"
    with pytest.raises(KeyboardInterrupt):
        search(file, "s", SPACE, FIRST, stopped, Bounds(3, 60.0), 0, lambda *told: None)
    seen: list[Mapping[str, float]] = []
    assert go(file, 2, seen).trials == 2
    assert seen[0] == FIRST, "what was stopped is tried again"


def test_other_data_have_trials_of_their_own(tmp_path: Path) -> None:
    seen: list[Mapping[str, float]] = []
    go(tmp_path / "trials.jsonl", 2, seen)
    assert go(tmp_path / "trials.jsonl", 1, seen, name="other").trials == 1


def test_time_ends_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="more --trials or --minutes"):
        go(tmp_path / "trials.jsonl", 5, [], seconds=0.0)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trials.jsonl"
    file.write_text("not JSON\n")
    with pytest.raises(DatasetError, match="not a file of trials"):
        go(file, 1, [])


def test_without_optuna_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match="pip install optuna"):
        search(tmp_path / "t", "s", SPACE, FIRST, hill, Bounds(1, 1.0), 0, lambda *told: None)
