"""What a caller gives and gets: items, events, answers, as plain frozen values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

AttributeValue: TypeAlias = str | float | bool | Sequence[str] | None


def _event_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user did with an item.

    The id is made with the value, so that the same Event recorded again, after a timeout for example, counts once.
    """

    user_id: str
    item_id: str
    type: str = "view"  # "view", "like", "rating", "purchase", "dislike", ...
    value: float | None = None  # a rating, a quantity, a share watched
    timestamp: float = 0.0  # Unix seconds; 0: the time it arrives
    text: str = ""  # a review
    impression_id: str = ""  # of the answer that showed the item
    event_id: str = field(default_factory=_event_id)


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be recommended."""

    id: str
    title: str = ""
    text: str = ""  # a description; it is searched and embedded
    categories: Sequence[str] = ()
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    created: float = 0.0  # Unix seconds; 0: not known


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is in an answer."""

    kind: str  # the source that spoke most for it, or "new"
    item_ids: tuple[str, ...]  # the items it goes back to
    text: str  # for people: "because you liked Alien"


@dataclass(frozen=True, slots=True)
class RecommendedItem:
    """One place of an answer."""

    id: str
    score: float  # comparable within one answer only
    title: str
    sources: tuple[str, ...]  # every source that proposed it, the strongest first
    reasons: tuple[Reason, ...]  # empty unless asked to explain


@dataclass(frozen=True, slots=True)
class Answer:
    """Items, best first, and how complete the answer is."""

    items: tuple[RecommendedItem, ...]
    bundle_version: str  # the model bundle that answered
    degraded: tuple[str, ...]  # the stages it had to do without, for example "ranking"
    shards_total: int
    shards_answered: int  # fewer than the total: a part of the catalogue is missing
    impression_id: str  # give it back in Event.impression_id

    @property
    def complete(self) -> bool:
        return not self.degraded and self.shards_answered == self.shards_total


@dataclass(frozen=True, slots=True)
class Recommendations(Answer):
    """What a user most probably wants next."""

    personalized: bool  # False: nothing is known of the user, and the items are the popular ones
    variant: str  # the arm of an experiment; empty: none runs


@dataclass(frozen=True, slots=True)
class SimilarItems(Answer):
    """Items like a given one."""

    title: str  # of the item that was asked about


@dataclass(frozen=True, slots=True)
class SearchResults(Answer):
    """Items that match a text."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Events are on disk."""

    recorded: int  # stored by this call
    duplicates: int  # stored before, by their event_id
    event_ids: tuple[str, ...]  # of every event, in order


@dataclass(frozen=True, slots=True)
class ItemsPut:
    """Items are in the catalogue."""

    stored: int
    replicas_asked: int  # over all shards
    replicas_acknowledged: int  # the others catch up from their peers


@dataclass(frozen=True, slots=True)
class ItemsDeleted:
    """Items are out of the catalogue."""

    deleted: int  # of the ids, how many were in the catalogue
    replicas_asked: int
    replicas_acknowledged: int


@dataclass(frozen=True, slots=True)
class UserDeleted:
    """A user is forgotten."""

    events_deleted: int


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event and the title of its item."""

    event: Event
    title: str


@dataclass(frozen=True, slots=True)
class UserHistory:
    """What a user did, newest first."""

    events: tuple[PastEvent, ...]
    known: bool  # False: no event of this user was ever seen
    degraded: tuple[str, ...]  # "retrieval": some titles are missing


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One process, as the gateway sees it."""

    address: str
    state: str  # "idle", "connecting", "ready", "draining", "backing off"
    in_flight: int
    calls: int
    failures: int
    last_error: str
    last_error_age_seconds: float  # how long ago that was
    problem: str  # what is wrong with it now; empty: nothing
    bundle_versions: tuple[str, ...]
    id: str  # its name, which stays when its address changes
    health: str  # "healthy", "ejected", "probation"; empty: an older gateway does not say
    cause: str  # of the last change of that
    ejections: int
    cost_seconds: float  # what one more call is expected to cost


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """One service the gateway depends on, or one shard of it."""

    service: str
    shard: int
    endpoints: tuple[EndpointStatus, ...]
    retry_budget: float  # retries and hedges that could be paid for; of all shards together, as up to `throttle`
    in_flight: int
    limit: int  # of calls in flight; more wait
    queued: int
    throttle: float  # with which probability a call is dropped, because many were refused
    hedges_sent: int
    hedges_won: int
    panic: bool  # so few endpoints are usable that ejections are ignored


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """How the mesh is."""

    bundle_version: str  # new requests are answered from it; empty: no version is loaded everywhere
    serving: bool
    build: str
    uptime_seconds: float
    upstreams: tuple[UpstreamStatus, ...]
    quality: float = 0.0  # of the optional work, how much is done; 0: an older gateway does not say
