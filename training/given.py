"""A cut that comes with the data: one dataset to learn from, another that is held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.data import Interactions
from training.errors import DatasetError
from training.preprocessing import Prepared
from training.protocols import Cut, as_sets
from training.splits import Split


def joined(learnt: Prepared, held_out: Prepared, how: Cut) -> tuple[Prepared, Split]:
    """Both under one numbering, and the cut between them. The catalogue holds the items of both."""
    data, other = learnt.interactions, held_out.interactions
    users = list(dict.fromkeys([*data.user_ids, *other.user_ids]))
    items = list(dict.fromkeys([*data.item_ids, *other.item_ids]))
    described = {item.id: item for item in (*held_out.items, *learnt.items)}
    train, test = (_renumbered(one, users, items) for one in (data, other))
    if not np.isin(test.users, train.users).any():
        raise DatasetError("no user of the held-out part is in the part to learn from; do their ids agree?")
    if not how.in_order:
        train = as_sets(train, np.random.default_rng(how.seed))
    whole = replace(learnt, interactions=train, items=[described[id_] for id_ in items])
    return whole, Split(train, test)


def _renumbered(data: Interactions, users: list[str], items: list[str]) -> Interactions:
    """Ordered by user as Interactions are; `users` begin with those of the learning part, in its order."""
    user_numbers = {id_: number for number, id_ in enumerate(users)}
    item_numbers = {id_: number for number, id_ in enumerate(items)}
    of_user = np.array([user_numbers[id_] for id_ in data.user_ids], np.int32)[data.users]
    of_item = np.array([item_numbers[id_] for id_ in data.item_ids], np.int32)[data.items]
    order = np.argsort(of_user, kind="stable")
    return Interactions(users, items, of_user[order], of_item[order], data.weights[order], data.timestamps[order])
