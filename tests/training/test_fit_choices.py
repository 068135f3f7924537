"""A fit chooses the settings its data wants, and leaves those that were given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.data import Interactions, ItemInfo
from models.histories import HALF_LIVES
from models.itemknn import ItemKnnConfig
from models.transitions import SHAPES, TransitionsConfig
from tests.models.worlds import SMALL, interactions
from training.choices import left_open, looks_at_less, preferred, together
from training.fit import fit_models
from training.parts import FitConfig
from training.progress import SilentProgress
from training.validation import with_settings

ITEMS = 40


def walks(users: int) -> Interactions:
    """Users go on to the next item and leap over six, by turns."""
    rng = np.random.default_rng(5)
    rows = []
    for user in range(users):
        place = int(rng.integers(ITEMS))
        for turn in range(12):
            rows.append((user, place))
            place = (place + (1, 7)[turn % 2]) % ITEMS
    return interactions(rows, users, ITEMS)


def chosen(data: Interactions, config: FitConfig) -> FitConfig:
    models = fit_models(data, [ItemInfo(str(number)) for number in range(ITEMS)], config, SilentProgress())
    names = ("transitions", "itemknn", "rp3beta", "ease", "ials")
    found = with_settings(config, {name: models.parts.config[name] for name in names})
    return replace(found, ials=replace(found.ials, regularization=config.ials.regularization))


def test_every_choice_is_made() -> None:
    found = chosen(walks(60), SMALL)
    assert (found.transitions.window, found.transitions.decay) in SHAPES
    assert found.itemknn.half_life in HALF_LIVES and found.rp3beta.half_life in HALF_LIVES
    assert found.rp3beta.beta is not None and found.transitions.last_decay is not None
    assert found.ials.half_life == SMALL.ials.half_life, "it was given"


def test_what_is_given_stays() -> None:
    config = replace(SMALL, transitions=TransitionsConfig(window=17), itemknn=ItemKnnConfig(half_life=1.5))
    found = chosen(walks(60), config)
    assert found.transitions.window == 17 and found.itemknn.half_life == 1.5


def test_without_anything_to_measure_the_first_options_hold() -> None:
    found = chosen(interactions([(0, 0), (1, 1)], 2, ITEMS), SMALL)
    assert found == SMALL
    assert found.transitions.shape == SHAPES[0]


def test_options_are_cut_to_what_is_open() -> None:
    options = [{"window": 20, "decay": 0.9}, {"window": 10, "decay": 0.8}, {"window": 10, "decay": 0.9}]
    assert left_open({"window": 5, "decay": None}, options) == [{"decay": 0.9}, {"decay": 0.8}]
    assert left_open({"window": 5, "decay": 0.5}, options) == []


@pytest.mark.parametrize(
    ("qualities", "place"),
    [([0.2, 0.1, 0.21], 0), ([0.2, 0.201, 0.21], 1), ([0.2, 0.1, 0.23], 2), ([0.0, 0.0, 0.0], 0)],
)
def test_looking_at_less_must_be_clearly_better(qualities: list[float], place: int) -> None:
    assert preferred(qualities, [{"half_life": places} for places in (20.0, 0.0, 3.0)]) == place


def test_what_looks_at_less() -> None:
    assert looks_at_less({"half_life": 3.0}, {"half_life": 0.0})
    assert looks_at_less({"half_life": 3.0}, {"half_life": 9.0})
    assert not looks_at_less({"half_life": 0.0}, {"half_life": 3.0})
    assert not looks_at_less({"last": 8, "last_decay": 0.7}, {"last": 8, "last_decay": 0.85})


def test_what_is_learnt_is_tried_with_all_that_may_be_asked() -> None:
    learnt, asked = [{"beta": 0.2}, {"beta": 0.4}], [{"half_life": 20.0}, {"half_life": 0.0}]
    assert together(learnt, asked) == [
        {"beta": 0.2, "half_life": 20.0},
        {"beta": 0.2, "half_life": 0.0},
        {"beta": 0.4, "half_life": 20.0},
        {"beta": 0.4, "half_life": 0.0},
    ]
