"""The rows of the quality table: they can be read, their commands exist, and reaching is judged by hand's numbers."""

from __future__ import annotations

import argparse

import pytest

from training.commands import _parser
from training.configuration import build
from training.quality.rows import Reach, Row, read_rows
from training.quality.run import UNPACK
from training.settings import TrainingSettings


def row(**other: object) -> Row:
    given = {"name": "r", "data": "d", "title": "t", "command": ("evaluate",), "reach": ()}
    return Row(**{**given, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize("one", read_rows(), ids=lambda one: one.name)
def test_every_row_is_a_command_with_settings_that_exist(one: Row) -> None:
    command, *arguments = one.command
    given = _parser().parse_args([command, "data", *arguments, "--seed", "0", "--json", "found.json"])
    assert isinstance(given, argparse.Namespace)
    build(TrainingSettings, dict(one.settings))
    assert not one.unpack or one.unpack in UNPACK
    assert one.seeds >= 1


def test_names_are_distinct() -> None:
    names = [one.name for one in read_rows()]
    assert len(set(names)) == len(names)


def test_another_command_is_another_run_and_another_goal_is_not() -> None:
    assert row().key == row(reach=(Reach("m", "x", 1.0),)).key
    assert row().key != row(command=("evaluate", "--implicit")).key
    assert row().key != row(seeds=2).key


FIGURES = {"popularity": 0.1, "ials": 0.3, "blend": 0.4, "ranker": 0.5}


@pytest.mark.parametrize(
    ("reach", "found", "needed"),
    [
        (Reach("blend", "ndcg@10", value=0.2), 0.4, 0.2),
        (Reach("served", "ndcg@10", than="popularity"), 0.5, 0.1),
        (Reach("ranker", "ndcg@10", than="blend", times=1.1), 0.5, 0.44),
        (Reach("ials", "ndcg@10", than="popularity", plus=0.12), 0.3, 0.22),
        (Reach("blend", "ndcg@10", than="every source"), 0.4, 0.3),
        (Reach("sasrec", "ndcg@10", than="other"), None, None),
    ],
)
def test_what_is_reached_and_what_was_to_be(reach: Reach, found: float | None, needed: float | None) -> None:
    assert reach.found(FIGURES) == found
    assert reach.needed(FIGURES) == (None if needed is None else pytest.approx(needed))


@pytest.mark.parametrize("wrong", [{"value": 0.1}, {"than": "blend", "times": 2.0}, {"than": "blend", "plus": 0.1}])
def test_what_is_a_least_figure_anyway_needs_no_word_for_it(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not_below goes with than alone"):
        Reach("m", "x", not_below=True, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{}, {"value": 0.1, "than": "blend"}])
def test_a_goal_is_a_value_or_a_comparison(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has a value, or than"):
        Reach("m", "x", **wrong)  # type: ignore[arg-type]
