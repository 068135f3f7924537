"""A fit chooses the settings its data wants, and leaves those that were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.data import Interactions, ItemInfo
from models.histories import HALF_LIVES
from models.ials import STRENGTHS, USUAL, IalsConfig
from models.itemknn import ItemKnnConfig
from models.transitions import SHAPES, TransitionsConfig
from models.writer import Parts
from tests.models.worlds import SMALL, interactions
from training import choices
from training.choices import GAIN, Tried, choose, climbed, left_open, looks_at_less, open_of, together, weighed
from training.fit import fit_models, tidy
from training.parts import FitConfig, fit_parts, fit_texts
from training.progress import SilentProgress
from training.slices import Slice
from training.splits import temporal
from training.stages import EachAnew
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


def groups(users: int, at_random: float) -> Interactions:
    """Users take eight items of the half that is theirs, but for a share that is any."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(users):
        own = rng.permutation(np.arange(user % 2, ITEMS, 2))[:8]
        rows += [
            (user, int(item))
            for item in dict.fromkeys(np.where(rng.random(8) < at_random, rng.integers(ITEMS, size=8), own))
        ]
    return interactions(rows, users, ITEMS)


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
    options = [{"half_life": places} for places in (20.0, 0.0, 3.0)]
    assert int(np.argmax(weighed(qualities, options, options[0]))) == place


def test_the_margin_is_asked_of_an_option_alone_too() -> None:
    """Else whatever is learnt next is better by the margin than what it is compared with."""
    assert weighed([1.1], [{"half_life": 3.0}], {"half_life": 20.0}) == [pytest.approx(1.0)]


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


def test_the_strength_of_ials_is_one_of_the_table() -> None:
    config = replace(SMALL, ials=IalsConfig(dimension=8, steps=5))
    found = chosen(groups(60, 0.3), config)
    assert (found.ials.unobserved_weight, found.ials.regularization_share) in STRENGTHS
    assert found.ials.half_life in HALF_LIVES


def test_parts_are_brought_up_to_what_was_chosen() -> None:
    config, silent, stages = replace(SMALL, ials=IalsConfig(dimension=8, steps=5)), SilentProgress(), EachAnew()
    data, items = tidy(groups(60, 0.3), [ItemInfo(str(number)) for number in range(ITEMS)])
    texts, split = fit_texts(items, config, silent, stages), temporal(data)
    parts = fit_parts(split.train, items, texts, config, silent, stages, "")
    held_out = Slice.of(split, parts, 100, np.random.default_rng(0))
    settings = choose(parts, config, held_out, silent)
    assert settings["ials"]["regularization_share"] != USUAL[1], "else nothing had to be learnt again"
    again = fit_parts(split.train, items, texts, with_settings(config, settings), silent, stages, "")
    assert again.config == parts.config
    for name in ("item_factors", "ials_gram", "piece_factors", "transitions_values", "rp3beta_values"):
        np.testing.assert_array_equal(again.arrays[name], parts.arrays[name])


def test_a_regularisation_that_is_given_leaves_the_strength_alone() -> None:
    learnt, asked = open_of(replace(SMALL, ials=IalsConfig(regularization=0.1)), "ials")
    assert learnt == [{}] and len(asked) == len(HALF_LIVES)


def test_a_weight_that_is_given_leaves_the_shares() -> None:
    learnt, _ = open_of(replace(SMALL, ials=IalsConfig(unobserved_weight=0.5)), "ials")
    assert learnt == [{"regularization_share": share} for _, share in STRENGTHS]


def look(qualities: Sequence[float], seen: list[int], place: int) -> Tried:
    seen.append(place)
    return Tried({}, qualities[place], Parts({}))


@pytest.mark.parametrize(
    ("qualities", "best", "seen"),
    [
        ([1.0, 2.0, 1.5, 9.0, 9.0], 1, [2, 0]),
        ([1.0, 2.0, 3.0, 4.0, 3.0], 3, [2, 3, 4]),
        ([3.0, 2.0, 1.0, 0.0, 0.0], 0, [2, 0]),
        ([2.0 * GAIN, 2.0, 2.0 * GAIN, 9.0, 9.0], 1, [2, 0]),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 4, [2, 3, 4]),
    ],
)
def test_only_what_lies_where_it_gets_clearly_better_is_learnt(
    qualities: list[float], best: int, seen: list[int]
) -> None:
    first, looked = Tried({}, qualities[1], Parts({})), list[int]()
    place, found = climbed(lambda place: look(qualities, looked, place), first, 1, len(qualities))
    assert (place, found.quality, looked) == (best, qualities[best], seen)


def test_the_climb_begins_in_the_table() -> None:
    assert USUAL in STRENGTHS
    assert list(STRENGTHS) == sorted(STRENGTHS, reverse=True)


def test_no_strength_is_better_for_the_margin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """All strengths are worth the same, and fast ageing is clearly better."""
    config, silent, stages = replace(SMALL, ials=IalsConfig(dimension=8, steps=1)), SilentProgress(), EachAnew()
    data, items = tidy(groups(20, 0.3), [ItemInfo(str(number)) for number in range(ITEMS)])
    texts, split = fit_texts(items, config, silent, stages), temporal(data)
    parts = fit_parts(split.train, items, texts, config, silent, stages, "")
    worth = {20.0: 1.0, 0.0: 0.9, 3.0: 1.2, None: 0.0}
    monkeypatch.setattr(choices, "scores", lambda parts, name, held_out: worth[parts.config[name].get("half_life")])
    monkeypatch.setattr(Slice, "quality", lambda held_out, told: told)
    found = choose(parts, config, Slice.of(split, parts, 10, np.random.default_rng(0)), silent)["ials"]
    assert found == {"unobserved_weight": USUAL[0], "regularization_share": USUAL[1], "half_life": 3.0}
