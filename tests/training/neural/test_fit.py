"""Training on torch: the network that serves is the one that was trained, it learns an order, and repeats itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from models.data import Interactions
from models.sasrec import WEIGHTS, Network, SequenceConfig
from tests.models.networks import drawn
from tests.models.worlds import interactions

torch = pytest.importorskip("torch", reason="the extra neural is not installed")

from training.neural.batches import Sequences  # noqa: E402
from training.neural.fit import HeldOut, fit  # noqa: E402 - they import torch
from training.neural.network import loss, states  # noqa: E402

ITEMS, USERS = 20, 80
TINY = SequenceConfig(
    enabled=True,
    dimension=16,
    length=8,
    dropout=0.0,
    negatives=10,
    batch=25,
    learning_rate=0.005,
    epochs=30,
    patience=30,
)


def walks(users: int = USERS) -> Interactions:
    """Every user goes round the items in steps of one, or of three: the last entry alone does not tell which."""
    rng = np.random.default_rng(5)
    rows = []
    for user in range(users):
        start, step = int(rng.integers(ITEMS)), 1 if user % 2 else 3
        rows += [(user, (start + step * place) % ITEMS) for place in range(6)]
    return interactions(rows, users, ITEMS)


def trained(data: Interactions, config: SequenceConfig = TINY, begin: Network | None = None, seed: int = 0) -> Network:
    return fit(data, config, seed, begin, lambda done: None, lambda: 0.0)


def told(network: Network, *latest: int) -> int:
    scores = network.items @ network.state(np.array(latest))
    scores[list(latest)] = -np.inf
    return int(np.argmax(scores))


@pytest.mark.parametrize("widening", [1, 4])
def test_serving_and_training_compute_the_same(widening: int) -> None:
    config = SequenceConfig(dimension=12, heads=3, blocks=3, widening=widening, length=9)
    network = drawn(30, 1, config)
    weights = {name: torch.from_numpy(weight) for name, weight in network.weights.items()}
    rows = np.random.default_rng(2).integers(0, 30, (4, 9))
    found = states(weights, torch.from_numpy(rows), config.heads, 0.0).numpy()
    for place in range(9):
        for row in range(4):
            served = network.state(rows[row, : place + 1])
            np.testing.assert_allclose(served, found[row, place], rtol=1e-3, atol=1e-4)


def test_with_all_items_as_negatives_the_loss_is_the_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    items, states_ = (torch.from_numpy(rng.normal(size=shape)) for shape in ((9, 4), (5, 4)))
    wanted = torch.tensor([0, 3, 3, 8, 1])
    expected = torch.nn.functional.cross_entropy(states_ @ items.T, wanted)
    torch.testing.assert_close(loss(items, states_, wanted, torch.arange(9), 9), expected)


def test_it_learns_an_order_that_the_last_entry_alone_does_not_tell() -> None:
    network = trained(walks())
    asked = [(start, step) for start in range(ITEMS) for step in (1, 3)]
    right = [told(network, start, (start + step) % ITEMS) == (start + 2 * step) % ITEMS for start, step in asked]
    assert np.mean(right) > 0.8, "by the last entry alone it is one half"


def test_the_same_seed_gives_the_same_network() -> None:
    short = replace(TINY, epochs=2)
    one, two, other = (trained(walks(), short, seed=seed) for seed in (3, 3, 4))
    for name in WEIGHTS:
        np.testing.assert_array_equal(one.weights[name], two.weights[name])
    assert not np.array_equal(one.items, other.items)


def test_torchs_own_chance_is_left_as_it_was() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    trained(walks(), replace(TINY, epochs=1))
    torch.testing.assert_close(torch.rand(3), expected)


def test_items_nobody_took_are_rows_of_zeros() -> None:
    data = replace(walks(), item_ids=[str(number) for number in range(ITEMS + 2)])
    found = trained(data, replace(TINY, epochs=1))
    assert not found.items[ITEMS:].any() and found.items[:ITEMS].any(axis=1).all()


def test_it_goes_on_from_an_earlier_network() -> None:
    begin = trained(walks())
    found = trained(walks(USERS + 10), replace(TINY, epochs=1, learning_rate=1e-6), begin)
    np.testing.assert_allclose(found.items, begin.items, atol=1e-3)


def test_weights_that_went_astray_are_not_taken() -> None:
    held_out = HeldOut.of(Sequences.of(walks()), 50, np.random.default_rng(0))
    network = drawn(ITEMS)
    assert 0 < held_out.ndcg(network) < 1
    network.weights["positions"][:] = np.nan
    assert held_out.ndcg(network) == 0


def test_it_stops_when_nothing_is_gained() -> None:
    done: list[int] = []
    fit(walks(), replace(TINY, epochs=500, patience=1), 0, None, done.append, lambda: 0.0)
    assert sum(done) < 100 * 5 * USERS


def test_it_stops_when_the_minutes_are_over() -> None:
    done: list[int] = []
    seconds: Iterator[int] = count()
    fit(walks(), replace(TINY, minutes=0.1, batch=100), 0, None, done.append, lambda: float(next(seconds)))
    assert 1 <= len(done) <= 6


def test_without_anything_in_order_it_says_nothing() -> None:
    alone = interactions([(user, user % ITEMS) for user in range(5)], 5, ITEMS)
    assert np.isfinite(trained(alone).items).all()
    nothing = interactions([], 3, ITEMS)
    assert not trained(nothing).items.any()
