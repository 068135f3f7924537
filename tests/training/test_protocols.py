"""Protocols: what each holds out, that nothing is lost or told twice, and that tuning sees nothing held out."""

from __future__ import annotations

import numpy as np
import pytest

from models.data import Interactions, ItemInfo
from training.errors import DatasetError
from training.given import joined
from training.preprocessing import Prepared
from training.protocols import GIVEN, PROTOCOLS, Cut, as_sets, cut, cut_for_tuning
from training.report import CleaningReport
from training.splits import temporal

USERS, EVENTS, ITEMS = 50, 20, 200


def people() -> Interactions:
    """Each user's items are their own, in order."""
    users = np.repeat(np.arange(USERS, dtype=np.int32), EVENTS)
    return Interactions(
        user_ids=[f"u{n}" for n in range(USERS)],
        item_ids=[f"i{n}" for n in range(ITEMS)],
        users=users,
        items=np.tile(np.arange(EVENTS, dtype=np.int32), USERS) + 7 * users % 150,
        weights=np.ones(len(users), np.float32),
        timestamps=np.arange(len(users), dtype=np.float64),
    )


def nobody() -> Interactions:
    none = np.zeros(0, np.int32)
    return Interactions(["u"], ["i"], none, none, np.zeros(0, np.float32), np.zeros(0))


def pairs(data: Interactions) -> set[tuple[int, int]]:
    return set(zip(data.users.tolist(), data.items.tolist(), strict=True))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("per_user", [False, True])
def test_the_parts_share_no_event_and_the_numbering_stays(protocol: str, per_user: bool) -> None:
    split = cut(people(), Cut(protocol, per_user=per_user))
    assert not pairs(split.test) & pairs(split.train)
    assert not pairs(split.test) & pairs(split.known)
    assert pairs(split.train) | pairs(split.test) | pairs(split.known) <= pairs(people())
    assert split.train.item_ids == split.test.item_ids == split.known.item_ids == people().item_ids


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_events_give_empty_parts(protocol: str) -> None:
    split = cut(nobody(), Cut(protocol))
    assert len(split.train) == len(split.test) == 0
    assert split.targets == {}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tuning_sees_nothing_that_is_held_out(protocol: str) -> None:
    how = Cut(protocol)
    held_out = pairs(cut(people(), how).test)
    inner = cut_for_tuning(people(), how)
    assert len(inner.test) or protocol == "temporal-global"
    for part in (inner.train, inner.test, inner.known):
        assert not pairs(part) & held_out


def test_random_takes_its_share_of_every_user_or_of_all() -> None:
    each = cut(people(), Cut("random", fraction=0.25, per_user=True))
    assert np.bincount(each.test.users, minlength=USERS).tolist() == [5] * USERS
    together = cut(people(), Cut("random", fraction=0.1))
    assert len(together.test) == USERS * EVENTS // 10
    assert len(set(np.bincount(together.test.users, minlength=USERS).tolist())) > 1


def test_another_seed_draws_otherwise_and_the_same_one_alike() -> None:
    first, again, other = (pairs(cut(people(), Cut("random", seed=seed)).test) for seed in (0, 0, 1))
    assert first == again != other


def test_strong_generalisation_asks_for_users_nobody_learnt_from() -> None:
    split = cut(people(), Cut("strong-generalisation"))
    learnt, asked = set(split.train.users.tolist()), set(split.known.users.tolist())
    assert (len(learnt), len(asked)) == (30, 10)
    assert not learnt & asked
    assert set(split.targets) == set(split.test.users.tolist()) == asked
    assert np.bincount(split.test.users, minlength=USERS)[list(asked)].tolist() == [4] * 10
    between = cut_for_tuning(people(), Cut("strong-generalisation"))
    assert set(between.train.users.tolist()) == learnt
    assert not set(between.test.users.tolist()) & (learnt | asked)


def test_cold_users_are_told_by_their_first_events() -> None:
    split = cut(people(), Cut("cold-users", events=2))
    asked = sorted(set(split.known.users.tolist()))
    assert len(asked) == 10
    assert not set(asked) & set(split.train.users.tolist())
    for user in asked:
        assert split.known.items[split.known.users == user].tolist() == [7 * user % 150, 7 * user % 150 + 1]
        assert len(split.test.items[split.test.users == user]) == EVENTS - 2


def test_as_sets_keeps_who_took_what_and_draws_the_order() -> None:
    data = people()
    drawn = as_sets(data, np.random.default_rng(0))
    assert pairs(drawn) == pairs(data)
    assert drawn.users.tolist() == data.users.tolist()
    assert drawn.items.tolist() != data.items.tolist()
    last = cut(data, Cut("leave-one-out", as_sets=True)).test.items
    assert last.tolist() != cut(data, Cut("leave-one-out")).test.items.tolist()


def test_a_row_of_a_table_tells_what_decides_its_figures() -> None:
    assert str(Cut("temporal")) == "temporal"
    assert str(Cut("random", 0.2, True, seed=3)) == "random, 0.2 held out of each user, seed 3"
    assert str(Cut("cold-users", events=5)) == "cold-users, 5 told, seed 0"
    assert str(Cut(GIVEN, as_sets=True)) == "given, as sets, seed 0"


@pytest.mark.parametrize(
    "wrong", [{"protocol": "?"}, {"fraction": 1.0}, {"fraction": float("nan")}, {"events": 0}, {"seed": -1}]
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"protocol|fraction|events"):
        Cut(**wrong)  # type: ignore[arg-type]


def part(*rows: tuple[str, str]) -> Prepared:
    users, items = sorted({user for user, _ in rows}), sorted({item for _, item in rows}, reverse=True)
    data = Interactions(
        users,
        items,
        np.array([users.index(user) for user, _ in rows], np.int32),
        np.array([items.index(item) for _, item in rows], np.int32),
        np.ones(len(rows), np.float32),
        np.arange(len(rows), dtype=np.float64),
    )
    report = CleaningReport.__new__(CleaningReport)  # nobody reads it here
    return Prepared(data, [ItemInfo(item) for item in items], {}, None, report)


def test_a_given_cut_joins_both_parts_under_one_numbering() -> None:
    whole, split = joined(
        part(("a", "1"), ("a", "2"), ("b", "3")), part(("a", "3"), ("b", "9"), ("z", "1")), Cut(GIVEN)
    )
    names = split.train.item_ids
    assert [item.id for item in whole.items] == list(names)
    assert set(names) == {"1", "2", "3", "9"}
    assert whole.interactions is split.train
    found = {split.train.user_ids[user]: [names[item] for item in items] for user, items in split.targets.items()}
    assert found == {"a": ["3"], "b": ["9"]}, "of z nothing is known"
    assert (np.diff(split.test.users) >= 0).all()


def test_a_given_cut_of_other_users_is_refused() -> None:
    with pytest.raises(DatasetError, match="do their ids agree"):
        joined(part(("a", "1")), part(("b", "1")), Cut(GIVEN))


def test_a_given_cut_is_not_made_from_one_dataset() -> None:
    with pytest.raises(DatasetError, match="--held-out"):
        cut(people(), Cut(GIVEN))


@pytest.mark.parametrize("protocol", ["random", "strong-generalisation"])
def test_what_a_fit_holds_out_is_drawn_where_the_protocol_draws(protocol: str) -> None:
    chosen_on = temporal(cut(people(), Cut(protocol, per_user=True)).train).test
    places = chosen_on.items - 7 * chosen_on.users % 150  # in the order the user took them
    assert 0.3 < places.mean() / EVENTS < 0.7
    assert set(places.tolist()) == set(range(EVENTS))
