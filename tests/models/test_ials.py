"""iALS solves its rows exactly in the end and in the fold-in, and comes near in few steps on the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import ials, least_squares
from models.data import Float32
from models.ials import FEW, IalsConfig, Solver, settled
from models.sparse import Matrix, matrix, matrix_of
from tests.models.worlds import checkerboard

REGULARIZATION = 0.05
CONFIG = IalsConfig(dimension=6, steps=4, regularization=REGULARIZATION, half_life=0.0)


def nothing(_: int) -> None: ...


def ratings(users: int = 30, items: int = 40, share: float = 0.4, seed: int = 0) -> Matrix:
    """Random signed weights; the first user has none, the last one everything."""
    rng = np.random.default_rng(seed)
    taken = rng.random((users, items)) < share * rng.random((users, 1))
    taken[0], taken[-1] = False, True
    rows, columns = np.nonzero(taken)
    values = rng.choice([-0.5, 0.0, 0.5, 1.0], len(rows)).astype(np.float32)
    return matrix(rows, columns, values, (users, items))


def solved_one_by_one(factors: Float32, taken: Matrix, config: IalsConfig, expected: Float32, pull: float) -> Float32:
    """The definition, a row at a time in float64."""
    wide = factors.astype(np.float64)
    rows = np.zeros((taken.shape[0], factors.shape[1]))
    for row in range(taken.shape[0]):
        part = slice(taken.indptr[row], taken.indptr[row + 1])
        observed, weights = wide[taken.indices[part]], taken.data[part].astype(np.float64)
        if len(observed):
            size = REGULARIZATION * (len(observed) + config.unobserved * len(factors))
            left = config.unobserved * wide.T @ wide + (observed.T * np.abs(weights)) @ observed
            left += (size + pull) * np.eye(factors.shape[1])
            rows[row] = np.linalg.solve(left, np.maximum(weights, 0) @ observed + pull * expected[row])
    return rows.astype(np.float32)


@pytest.mark.parametrize("dimension", [3, 16, 70], ids=["all rows long", "some rows short", "all rows short"])
@pytest.mark.parametrize("pull", [0.0, 2.0])
def test_every_row_is_the_exact_solution(dimension: int, pull: float) -> None:
    taken = ratings()
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(40, dimension)).astype(np.float32)
    expected = rng.normal(size=(30, dimension)).astype(np.float32)
    found = Solver.on(factors, CONFIG).rows(taken, nothing, expected, pull)
    np.testing.assert_allclose(found, solved_one_by_one(factors, taken, CONFIG, expected, pull), atol=2e-4)
    assert not found[0].any(), "nothing is known of the first user"


def test_batches_do_not_change_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, factors = ratings(), np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)
    told: list[int] = []
    whole = Solver.on(factors, CONFIG).rows(taken, told.append)
    assert sum(told) == (np.diff(taken.indptr) > 0).sum()
    monkeypatch.setattr(least_squares, "BATCH_ELEMENTS", 50)
    np.testing.assert_allclose(Solver.on(factors, CONFIG).rows(taken, nothing), whole, atol=1e-5)


@pytest.mark.parametrize("dimension", [3, 16, 70])
@pytest.mark.parametrize("pull", [0.0, 2.0])
def test_steps_from_anywhere_lead_to_the_exact_solution(
    dimension: int, pull: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = ratings()
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(40, dimension)).astype(np.float32)
    expected, start = rng.normal(size=(2, 30, dimension)).astype(np.float32)
    exact = solved_one_by_one(factors, taken, CONFIG, expected, pull)
    distances = []
    for steps in (1, 3, 40):
        monkeypatch.setattr(ials, "GRADIENT_STEPS", steps)
        found = Solver.on(factors, CONFIG).rows(taken, nothing, expected, pull, start)
        distances.append(float(np.abs(found - exact).max()))
        assert not found[0].any(), "nothing is known of the first user"
    assert distances[1] < 0.5 * distances[0]
    assert distances[2] < 1e-3, "steps beyond the solution do no harm"


def test_what_is_solved_stays() -> None:
    taken, factors = ratings(), np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)
    solver = Solver.on(factors, CONFIG)
    exact = solver.rows(taken, nothing)
    np.testing.assert_allclose(solver.rows(taken, nothing, start=exact), exact, atol=1e-4)


def test_the_fold_in_gives_a_fitted_user_the_same_factors() -> None:
    taken = ratings()
    users, items = ials.fit(taken, CONFIG, np.random.default_rng(0), nothing)
    found = ials.finish(taken, users, np.zeros_like(items), replace(CONFIG, text_pull=0.0))
    solver = Solver(found.items, found.gram, CONFIG)
    fitted = solver.rows(taken, nothing)
    rows = np.flatnonzero(np.diff(taken.indptr) >= FEW)
    assert len(rows) > 5
    for row in rows:
        part = slice(taken.indptr[row], taken.indptr[row + 1])
        folded = solver.fold_in(taken.indices[part], taken.data[part], found.mean_user)
        np.testing.assert_allclose(folded, fitted[row], atol=1e-4)


def test_a_short_history_is_drawn_to_the_mean_user() -> None:
    factors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    mean = np.full(6, 3.0, np.float32)
    one, weight = np.array([4], np.int32), np.ones(1, np.float32)
    distances = [
        float(np.linalg.norm(Solver.on(factors, replace(CONFIG, prior=prior)).fold_in(one, weight, mean) - mean))
        for prior in (0.0, 1.0, 10.0, 1e5)
    ]
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-2


def test_the_colours_of_a_checkerboard_come_apart() -> None:
    data, items = checkerboard()
    taken = matrix_of(data)
    users, factors = ials.fit(taken, CONFIG, np.random.default_rng(0), nothing)
    scores = users @ factors.T
    same = (np.arange(len(users))[:, None] - np.arange(len(items))[None, :]) % 2 == 0
    assert scores[same].min() > scores[~same].max() + 0.3


@pytest.mark.parametrize("weight", [1.0, 0.01])
@pytest.mark.parametrize("crowd", [0, 4000], ids=["dense", "sparse"])
def test_the_default_regularisation_leaves_something_of_any_data(weight: float, crowd: int) -> None:
    """Two groups of users with items of their own, alone or among many items and users that tell nothing."""
    rows = np.repeat(np.arange(40), 8)
    columns = (np.tile(np.arange(8), 40) * 2 + rows % 2) % 16
    values = np.full(len(rows), weight, np.float32)
    taken = matrix(rows, columns, values, (40 + crowd, 16 + crowd))
    config = settled(IalsConfig(dimension=4, steps=6), taken)
    users, items = ials.fit(taken, config, np.random.default_rng(0), nothing)
    scores = users[:40] @ items[:16].T
    same = (np.arange(40)[:, None] - np.arange(16)[None, :]) % 2 == 0
    assert scores[same].min() > 0.3 * weight and scores[same].min() > 3 * np.abs(scores[~same]).max()


def test_a_regularisation_that_is_set_stays() -> None:
    assert settled(CONFIG, ratings()) is CONFIG


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_nothing_but_dislikes_leaves_finite_factors(weight: float) -> None:
    taken = matrix(np.arange(5), np.arange(5), np.full(5, weight, np.float32), (5, 5))
    config = settled(IalsConfig(dimension=4), taken)
    users, items = ials.fit(taken, config, np.random.default_rng(0), nothing)
    assert np.isfinite(users).all() and np.isfinite(items).all()


def test_an_unsettled_regularisation_is_not_taken_for_none() -> None:
    with pytest.raises(ValueError, match="not settled"):
        Solver.on(np.eye(3, dtype=np.float32), IalsConfig(dimension=3)).penalty(1.0)


def test_a_dislike_lowers_and_a_like_raises() -> None:
    data, _ = checkerboard()
    _, items = ials.fit(matrix_of(data), CONFIG, np.random.default_rng(0), nothing)
    solver = Solver.on(items, CONFIG)
    three = np.array([0, 2, 1], np.int32)
    score = {
        weight: float(solver.fold_in(three, np.array([1, 1, weight], np.float32), np.zeros(6, np.float32)) @ items[3])
        for weight in (-1.0, 0.0, 1.0)
    }
    assert score[-1.0] < score[0.0] < score[1.0]


def test_the_same_seed_gives_the_same_factors() -> None:
    taken = ratings()
    first, second, other = (ials.fit(taken, CONFIG, np.random.default_rng(seed), nothing)[1] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_items_nobody_took_stand_where_they_are_expected() -> None:
    rows, columns = np.array([0, 1]), np.array([0, 1])
    taken = matrix(rows, columns, np.ones(2, np.float32), (2, 3))
    users = np.eye(2, 6, dtype=np.float32)
    expected = np.full((3, 6), 0.25, np.float32)
    found = ials.finish(taken, users, expected, CONFIG)
    np.testing.assert_array_equal(found.items[2], expected[2])
    assert (found.items[:2] != expected[:2]).all(axis=1).all()


def test_progress_counts_every_row() -> None:
    taken, told = ratings(), list[int]()
    ials.fit(taken, CONFIG, np.random.default_rng(0), told.append)
    assert sum(told) == ials.rows_to_solve(taken, CONFIG)


@pytest.mark.parametrize(
    "setting",
    [
        {"dimension": 0},
        {"steps": 0},
        {"half_life": -1.0},
        {"regularization": 0.0},
        {"unobserved_weight": 0.0},
        {"prior": -1.0},
        {"text_pull": -1.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        IalsConfig(**setting)  # type: ignore[arg-type]
