"""The protocols of an evaluation by name, and the cut each makes for tuning, inside its learning part alone.

`random` holds out a share of the events by chance, of each user or of all; `strong-generalisation` learns from 60 % of
the users and asks for another 20 %, telling 80 % of their events (Marlin 2004; as in "Variational Autoencoders for
Collaborative Filtering", Liang et al. 2018); the 20 % between are for tuning. `cold-users` is told a user's first
events and no more. Where chance cuts, the order of events is drawn too: what remains would tell where the held-out
ones stood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data import Interactions
from training.errors import DatasetError
from training.splits import Split, leave_one_out, places_from_the_end, rows, temporal, temporal_global

LEARNT_FROM: Final = 0.6  # of the users, under strong generalisation
TUNED_ON: Final = 0.2  # of the users
TOLD: Final = 0.8  # of an asked user's events
ASKED_FOR: Final = 0.2  # of the users, under `cold-users`
GIVEN: Final = "given"  # the cut comes with the data


@dataclass(frozen=True, slots=True)
class Cut:
    """A protocol and its parameters."""

    protocol: str = "temporal"
    fraction: float = 0.25  # of the events held out, by `random`
    per_user: bool = False  # `random` cuts each user's events, not all together
    events: int = 1  # first events told, by `cold-users`
    as_sets: bool = False  # the order of each user's events is drawn, under any protocol
    seed: int = 0

    def __post_init__(self) -> None:
        if self.protocol not in (*PROTOCOLS, GIVEN):
            raise ValueError(f"no protocol {self.protocol}; there are {', '.join((*PROTOCOLS, GIVEN))}")
        if not 0 < self.fraction < 1:
            raise ValueError("the fraction lies between 0 and 1")
        if self.events < 1 or self.seed < 0:
            raise ValueError("events is 1 or more, seed 0 or more")

    @property
    def in_order(self) -> bool:
        """Whether the order of events says something."""
        return not self.as_sets and self.protocol not in DRAWN

    def __str__(self) -> str:
        """As a table names it: the protocol and what of its parameters decides the figures."""
        told = [self.protocol]
        if self.protocol == "random":
            told.append(f"{self.fraction:g} held out{' of each user' if self.per_user else ''}")
        if self.protocol == "cold-users":
            told.append(f"{self.events} told")
        if self.as_sets and self.protocol not in DRAWN:
            told.append("as sets")
        if self.drawn:
            told.append(f"seed {self.seed}")
        return ", ".join(told)

    @property
    def drawn(self) -> bool:
        """Whether another seed cuts otherwise."""
        return self.as_sets or self.protocol in {*DRAWN, "cold-users"}


def cut(data: Interactions, how: Cut) -> Split:
    if how.protocol == GIVEN:
        raise DatasetError("the protocol given needs the held-out part; name it with --held-out")
    rng = np.random.default_rng(how.seed)
    if not how.in_order:
        data = as_sets(data, rng)
    return PROTOCOLS[how.protocol](data, how, rng)


def cut_for_tuning(data: Interactions, how: Cut) -> Split:
    """A cut as the protocol makes it, without any event that the protocol itself holds out."""
    if how.protocol == "strong-generalisation":
        rng = np.random.default_rng(how.seed)
        return _strong(as_sets(data, rng), rng, tuning=True)
    if how.protocol == GIVEN:  # `data` is the learning part
        return cut(data, replace(how, protocol="temporal"))
    return cut(cut(data, how).train, how)


def as_sets(data: Interactions, rng: np.random.Generator) -> Interactions:
    """Each user's events in an order that is drawn; their times are the places in it."""
    order = np.lexsort((rng.random(len(data)), data.users))
    return replace(
        data,
        items=data.items[order],
        weights=data.weights[order],
        timestamps=np.arange(len(data), dtype=np.float64),
    )


def _random(data: Interactions, how: Cut, rng: np.random.Generator) -> Split:
    """The order is drawn already: the last of each user are any."""
    if how.per_user:
        counts = np.bincount(data.users, minlength=len(data.user_ids))
        kept_back = np.rint(counts * how.fraction).astype(np.int64)
        held_out = places_from_the_end(data.users, counts) < kept_back[data.users]
    else:
        held_out = np.zeros(len(data), np.bool_)
        held_out[rng.permutation(len(data))[: round(len(data) * how.fraction)]] = True
    return Split(rows(data, ~held_out), rows(data, held_out))


def _strong(data: Interactions, rng: np.random.Generator, tuning: bool = False) -> Split:
    place = _places_of_users(data, rng)
    learnt = place < LEARNT_FROM
    between = ~learnt & (place < LEARNT_FROM + TUNED_ON)
    asked = between if tuning else ~learnt & ~between
    counts = np.bincount(data.users, minlength=len(data.user_ids))
    kept_back = np.maximum(np.rint(counts * (1 - TOLD)).astype(np.int64), 1)
    kept_back[counts < 2] = 0
    held_out = places_from_the_end(data.users, counts) < kept_back[data.users]
    return Split(
        rows(data, learnt[data.users]),
        rows(data, asked[data.users] & held_out),
        rows(data, asked[data.users] & ~held_out),
    )


def _cold_users(data: Interactions, how: Cut, rng: np.random.Generator) -> Split:
    asked = (_places_of_users(data, rng) >= 1 - ASKED_FOR)[data.users]
    counts = np.bincount(data.users, minlength=len(data.user_ids))
    first = counts[data.users] - 1 - places_from_the_end(data.users, counts) < how.events
    return Split(rows(data, ~asked), rows(data, asked & ~first), rows(data, asked & first))


def _places_of_users(data: Interactions, rng: np.random.Generator) -> NDArray[np.float64]:
    """For each user number that has events a place from 0 up to 1 in an order that is drawn."""
    present = np.unique(data.users)
    places = np.zeros(len(data.user_ids))
    places[rng.permutation(present)] = np.arange(len(present)) / max(len(present), 1)
    return places


PROTOCOLS: Final[Mapping[str, Callable[[Interactions, Cut, np.random.Generator], Split]]] = {
    "temporal": lambda data, how, rng: temporal(data),
    "temporal-global": lambda data, how, rng: temporal_global(data),
    "leave-one-out": lambda data, how, rng: leave_one_out(data),
    "random": _random,
    "strong-generalisation": lambda data, how, rng: _strong(data, rng),
    "cold-users": _cold_users,
}
DRAWN: Final = frozenset({"random", "strong-generalisation"})
