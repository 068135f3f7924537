"""Where vectors of items begin: those taken together stand together."""

from __future__ import annotations

import numpy as np

from tests.models.worlds import checkerboard, interactions
from training.neural.batches import Sequences
from training.neural.beginning import DEVIATION, vectors


def test_items_of_the_same_users_stand_together() -> None:
    data, _ = checkerboard()
    found = vectors(Sequences.of(data), 12, 4, np.random.default_rng(0))
    alike = found @ found.T
    same = (np.arange(12)[:, None] + np.arange(12)) % 2 == 0
    assert alike[same].mean() > 0 and alike[same].mean() > 10 * abs(alike[~same].mean())


def test_items_without_company_are_drawn() -> None:
    data = interactions([(0, 0), (0, 1), (0, 2), (1, 3)], 2, 5)
    found = vectors(Sequences.of(data), 5, 8, np.random.default_rng(0))
    assert found.shape == (5, 8)
    assert found[3:].any(axis=1).all() and np.abs(found).max() < 6 * DEVIATION


def test_without_events_all_are_drawn() -> None:
    found = vectors(Sequences.of(interactions([], 3, 4)), 4, 2, np.random.default_rng(0))
    assert found.shape == (4, 2) and found.all()


def test_the_same_seed_gives_the_same_vectors() -> None:
    data, _ = checkerboard()
    one, two = (vectors(Sequences.of(data), 12, 4, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
