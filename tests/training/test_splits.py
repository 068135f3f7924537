"""Cuts in order of time: what is held out, and what counts as found."""

from __future__ import annotations

import numpy as np

from models.data import Interactions
from training.splits import Latest, Split, leave_one_out, temporal, temporal_global


def interactions(*rows: tuple[int, int, float, float], users: int = 3, items: int = 12) -> Interactions:
    """Rows of user, item, time, weight; ordered as Interactions asks for."""
    ordered = sorted(rows, key=lambda row: (row[0], row[2]))
    return Interactions(
        user_ids=[f"u{n}" for n in range(users)],
        item_ids=[f"i{n}" for n in range(items)],
        users=np.array([row[0] for row in ordered], dtype=np.int32),
        items=np.array([row[1] for row in ordered], dtype=np.int32),
        weights=np.array([row[3] for row in ordered], dtype=np.float32),
        timestamps=np.array([row[2] for row in ordered], dtype=np.float64),
    )


def held_out(split: Split) -> list[tuple[int, int]]:
    return list(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True))


TWO_USERS = interactions(
    *((0, n, 100 + n, 1.0) for n in range(10)),
    *((2, n, 1000 + n, 1.0) for n in range(3)),
)


def test_temporal_holds_out_the_last_fifth_of_each_user() -> None:
    assert held_out(temporal(TWO_USERS)) == [(0, 8), (0, 9), (2, 2)]


def test_temporal_leaves_a_single_event_in_training() -> None:
    split = temporal(interactions((0, 1, 5, 1.0), (1, 2, 6, 1.0), (1, 3, 7, 1.0)))
    assert held_out(split) == [(1, 3)]
    assert split.train.users.tolist() == [0, 1]


def test_temporal_keeps_the_order_of_the_source_within_a_second() -> None:
    assert held_out(temporal(interactions((0, 7, 5, 1.0), (0, 3, 5, 1.0)))) == [(0, 3)]


def test_a_global_cut_is_one_moment_for_everybody() -> None:
    split = temporal_global(TWO_USERS)
    assert held_out(split) == [(2, 0), (2, 1), (2, 2)]
    assert split.train.timestamps.max() < split.test.timestamps.min()
    assert split.targets == {}, "the user of the later part is unknown to the earlier one"


def test_the_latest_events_are_held_out_and_never_all() -> None:
    assert held_out(Latest(events=2).held_out_of(TWO_USERS)) == [(0, 8), (0, 9), (2, 1), (2, 2)]
    assert held_out(Latest(0.4, 2).held_out_of(TWO_USERS)) == [(0, 6), (0, 7), (0, 8), (0, 9), (2, 1), (2, 2)]
    train = Latest(events=100).held_out_of(TWO_USERS).train
    assert np.bincount(train.users).tolist() == np.minimum(np.bincount(TWO_USERS.users), 1).tolist()


def test_leave_one_out_holds_out_the_last_event() -> None:
    assert held_out(leave_one_out(TWO_USERS)) == [(0, 9), (2, 2)]


def test_targets_are_liked_items_the_user_has_not_yet() -> None:
    train = interactions((0, 1, 1, 1.0), (1, 1, 1, 1.0))
    test = interactions(
        (0, 1, 2, 1.0), (0, 5, 3, 1.0), (0, 4, 4, 0.5), (0, 6, 5, -1.0), (1, 7, 2, -0.5), (2, 8, 2, 1.0)
    )
    found = Split(train, test).targets
    assert {user: items.tolist() for user, items in found.items()} == {0: [4, 5]}
