"""A user's history: what the bundle carries and what happened since, as entries and as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import merge as in_order
from itertools import islice
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.data import History
from models.events import BEST_RATING, DEFAULT_EVENT_WEIGHTS, NEUTRAL_RATING, combine, event_weight
from models.histories import SEEN_LIMIT, Histories, merge
from models.sentiment import Sentiment
from services.feedback.events import Event
from services.feedback.reviews import Reviews
from services.feedback.store import UserEvents

# Events of one user that are looked at: twice the items a history can have, for items that are met again.
MOST_READ: Final = 2 * SEEN_LIMIT


@dataclass(frozen=True, slots=True)
class Past:
    """What a bundle knows of users, and how much it lets each type of event count."""

    histories: Histories
    weights: Mapping[str, float]
    reviews: Reviews | None = None  # None: the bundle has not learnt to read them

    @classmethod
    def of(cls, bundle: Bundle) -> Past:
        sentiment = Sentiment.of(bundle)
        weights = bundle.config.get("event_weights", DEFAULT_EVENT_WEIGHTS)
        return cls(Histories(bundle), weights, Reviews(sentiment) if sentiment else None)

    def unread(self, events: Sequence[Event]) -> int:
        """How many characters of reviews must be read before these events have weights."""
        return self.reviews.unread(events) if self.reviews else 0


@dataclass(frozen=True, slots=True)
class UserHistory:
    """The answer to what a user did."""

    entries: History
    events: Sequence[Event]  # newest first
    known: bool


def user_history(user_id: str, past: Past, stored: UserEvents, limit: int, event_limit: int) -> UserHistory:
    """The stored events on top of the bundle's history, unless that is to be forgotten."""
    before = None if stored.forgotten else past.histories.of(user_id)
    entries = merge(before, live_history(stored.events, past), limit)
    older = told_as_ratings(user_id, before, {event.item_id for event in stored.events}) if event_limit else []
    events = islice(in_order(stored.events, older, key=lambda event: -event.timestamp), event_limit)
    return UserHistory(entries, list(events), bool(stored.events) or before is not None)


def live_history(events: Sequence[Event], past: Past) -> History:
    """One entry an item from events, newest first."""
    reviews = past.reviews
    opinions, share = (reviews.opinions(events), reviews.share_beside_stars) if reviews else ({}, 0.0)
    entries: dict[str, tuple[float, float]] = {}
    for event in reversed(events):
        weight = event_weight(event.type, event.value, past.weights, opinions.get(event.text), share)
        earlier = entries.pop(event.item_id, None)  # the later event decides the entry's place
        entries[event.item_id] = (combine(earlier[0], weight) if earlier else weight, event.timestamp)
    newest = list(entries.items())[::-1]
    return History(
        [item for item, _ in newest],
        np.array([weight for _, (weight, _) in newest], np.float32),
        np.array([timestamp for _, (_, timestamp) in newest], np.float64),
    )


def told_as_ratings(user_id: str, history: History | None, known: set[str]) -> Sequence[Event]:
    """A bundle's entries as events, but for items whose events are known.

    A bundle keeps how much an entry counts and not what it was; the rating that counts as much says it best.
    """
    if history is None:
        return []
    rows = zip(history.item_ids, history.weights.tolist(), history.timestamps.tolist(), strict=True)
    return [
        Event("", user_id, item, "rating", round(_rating(weight), 3), timestamp, "", "")
        for item, weight, timestamp in rows
        if item not in known
    ]


def _rating(weight: float) -> float:
    return NEUTRAL_RATING + weight * (BEST_RATING - NEUTRAL_RATING)
