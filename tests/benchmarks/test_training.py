"""The comparison of factorisations: ours runs, both see the same cut, and rows compare seconds at one quality."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training import Plan, Run, compare, cut, ndcg, rows, show
from models.sparse import Matrix, matrix


def clubs(users: int = 60, items: int = 40) -> Matrix:
    """Users who take half of the items of their own kind."""
    taken = np.random.default_rng(0).random((users, items)) < 0.5
    taken &= (np.arange(users)[:, None] - np.arange(items)[None, :]) % 2 == 0
    rows, columns = np.nonzero(taken)
    return matrix(rows, columns, np.ones(len(rows), np.float32), (users, items))


def test_what_is_held_out_is_not_learnt_from() -> None:
    taken = clubs()
    learnt, asked = cut(taken, 0)
    assert asked.nnz and not learnt.multiply(asked).nnz
    np.testing.assert_array_equal((learnt + asked).toarray(), taken.toarray())


def test_quality_looks_at_what_was_held_out_alone() -> None:
    learnt, asked = cut(clubs(), 0)
    users = np.eye(60, dtype=np.float32)
    assert ndcg(users, asked.toarray().T.astype(np.float32), learnt, asked) == 1.0
    assert ndcg(users, learnt.toarray().T.astype(np.float32) - 0.1 * asked.toarray().T, learnt, asked) < 0.2


def test_seconds_count_to_the_quality_that_all_reach() -> None:
    slow = [Run([1.0, 2.0, 3.0], [0.1, 0.396, 0.4]), Run([1.0, 4.0, 6.0], [0.1, 0.4, 0.4])]
    quick = [Run([0.5, 1.0, 1.5], [0.3, 0.5, 0.5])] * 2
    first, second = rows({"slow": slow, "quick": quick})
    assert first["target_ndcg"] == second["target_ndcg"] == 0.396
    assert (first["seconds"], second["seconds"]) == (3.0, 1.0)
    assert (first["ratio"], second["ratio"], second["ratios"]) == (1.0, 3.0, [2.0, 4.0])


@pytest.mark.system
def test_a_run_learns_and_its_row_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan(dimension=4, steps=4, repeats=1)
    found = compare(clubs(), {"recmesh": Path(sys.executable)}, plan)
    assert found[0]["best_ndcg"] > 0.4 and found[0]["seconds"] > 0
    json.dumps(found)
    show(found)
    assert "recmesh" in capsys.readouterr().out
