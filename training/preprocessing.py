"""Cleans a dataset into what models are fitted on, and says what it did.

Text is normalised (NFKC, single spaces), times become Unix seconds, repeated rows are taken once, of several ratings of
an item by one user the last counts, events become weights by the rule that live events go through, and rare users
and items can be left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data import AttributeValue, Float32, Float64, Int32, Interactions, ItemInfo
from models.events import DEFAULT_EVENT_WEIGHTS, event_weight
from models.sentiment import Sentiment
from training.datasets.model import Dataset, Events
from training.errors import DatasetError
from training.report import CleaningReport
from training.reviews import Judged

# A time above one of these is in a finer unit than seconds: each is the year 5138 in the next coarser one.
UNITS: Final = ((1e17, 1e9, "nanoseconds"), (1e14, 1e6, "microseconds"), (1e11, 1e3, "milliseconds"))


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class PreprocessingConfig:
    """What may be chosen; by default nobody is left out."""

    min_user_events: int = 0  # users with fewer are left out
    min_item_events: int = 0  # items with fewer are left out, also of the catalogue

    def __post_init__(self) -> None:
        if self.min_user_events < 0 or self.min_item_events < 0:
            raise ValueError("minimum counts are 0 or more")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What models are fitted on; `items` stand in the order of `interactions.item_ids`."""

    interactions: Interactions
    items: Sequence[ItemInfo]
    event_weights: Mapping[str, float]  # what the interactions were weighted by
    sentiment: Sentiment | None  # what reviews without stars were weighted by
    report: CleaningReport


@dataclass(frozen=True, slots=True)
class _Rows:
    """The part of the events that is still in."""

    events: Events
    rows: NDArray[np.int64]  # in the order of the source
    times: Float64  # of all events; NaN: not known

    def only(self, chosen: NDArray[np.bool_]) -> _Rows:
        return replace(self, rows=self.rows[chosen])

    @property
    def users(self) -> Int32:
        return self.events.users[self.rows]

    @property
    def items(self) -> Int32:
        return self.events.items[self.rows]


def prepare(dataset: Dataset, config: PreprocessingConfig, judged: Judged | None = None) -> Prepared:
    """`judged`: what the reviews say; not given, a review without stars counts as its type does."""
    judged = judged or Judged()
    events = dataset.events
    times, units = seconds(events.timestamps)
    everything = _Rows(events, np.arange(len(events)), times)
    distinct = without_duplicates(everything)
    current = last_ratings(distinct)
    kept = with_minimum_counts(current, config)
    if not len(kept.rows):
        raise DatasetError(
            f"{dataset.path}: no interaction is left after cleaning; lower min_user_events and min_item_events"
        )
    texts: Counter[str] = Counter()
    catalogue = [clean_item(item, texts) for item in _catalogue(dataset, kept, config)]
    weights = {**DEFAULT_EVENT_WEIGHTS, **dataset.event_weights}
    share = judged.sentiment.share_beside_stars if judged.sentiment else 0.0
    weighted = _weights(events, weights, judged.opinions, share)
    interactions = _interactions(kept, [item.id for item in catalogue], weighted)
    report = CleaningReport.of(
        dataset,
        interactions,
        catalogue,
        duplicates=len(everything.rows) - len(distinct.rows),
        replaced_ratings=len(distinct.rows) - len(current.rows),
        left_out=len(current.rows) - len(kept.rows),
        without_time=int(np.isnan(times).sum()),
        units=units,
        normalised_texts=texts,
        judged=len(judged.opinions),
        unread=judged.unread,
    )
    return Prepared(interactions, catalogue, weights, judged.sentiment, report)


def seconds(timestamps: Float64) -> tuple[Float64, Mapping[str, int]]:
    """Unix seconds, and how many times stood in which finer unit. The unit is told by the size of each time."""
    result = timestamps.copy()
    counts = {}
    for above, divisor, name in UNITS:
        finer = result > above
        result[finer] /= divisor
        if finer.any():
            counts[name] = int(finer.sum())
    return result, counts


def without_duplicates(rows: _Rows) -> _Rows:
    """The first of rows that agree in everything; without a time a repeat is an event of its own."""
    events = rows.events
    values = np.nan_to_num(events.values, nan=np.inf)  # NaN differs from itself
    columns = [column[rows.rows] for column in (rows.times, values, events.kinds, events.items, events.users)]
    order = np.lexsort(columns)  # stable: the first of equal rows comes first
    repeats = np.zeros(len(order), dtype=bool)
    repeats[1:] = np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in columns])
    chosen = np.ones(len(order), dtype=bool)
    chosen[order[repeats]] = False
    return rows.only(chosen)


def last_ratings(rows: _Rows) -> _Rows:
    """Of a user's ratings of an item the last; other events of the pair stay."""
    rating = np.array([name == "rating" for name in rows.events.types], dtype=bool)[rows.events.kinds[rows.rows]]
    order = np.lexsort((rows.rows, _sortable(rows.times[rows.rows])))[::-1]
    order = order[rating[order]]
    pairs = rows.users[order].astype(np.int64) * len(rows.events.item_ids) + rows.items[order]
    _, last = np.unique(pairs, return_index=True)
    chosen = ~rating
    chosen[order[last]] = True
    return rows.only(chosen)


def with_minimum_counts(rows: _Rows, config: PreprocessingConfig) -> _Rows:
    """Users and items with fewer events are taken out, until all that remain have enough (the k-core)."""
    while True:
        of_user = np.bincount(rows.users, minlength=len(rows.events.user_ids))
        of_item = np.bincount(rows.items, minlength=len(rows.events.item_ids))
        chosen = (of_user[rows.users] >= config.min_user_events) & (of_item[rows.items] >= config.min_item_events)
        if chosen.all():
            return rows
        rows = rows.only(chosen)


def _catalogue(dataset: Dataset, kept: _Rows, config: PreprocessingConfig) -> list[ItemInfo]:
    """Described items in the order of their table, then those only events name, in the order of their first event."""
    ids = dataset.events.item_ids
    remaining = {ids[number] for number in np.unique(kept.items).tolist()}
    if config.min_item_events > 0:
        return [
            dataset.items.get(id_, ItemInfo(id_)) for id_ in dict.fromkeys((*dataset.items, *ids)) if id_ in remaining
        ]
    return [*dataset.items.values(), *(ItemInfo(id_) for id_ in ids if id_ in remaining and id_ not in dataset.items)]


def _interactions(kept: _Rows, item_ids: Sequence[str], weights: Float32) -> Interactions:
    """Ordered by user, time and place; where no row has a time, the place in the user's sequence is it."""
    events = kept.events
    order = kept.rows[np.lexsort((kept.rows, _sortable(kept.times[kept.rows]), kept.users))]
    users, numbers = np.unique(events.users[order], return_inverse=True)
    times = _sortable(kept.times[order])
    if np.isnan(kept.times).all():
        times = np.arange(len(order), dtype=np.float64) - np.searchsorted(numbers, numbers)
    place_of = {id_: place for place, id_ in enumerate(item_ids)}
    places = np.array([place_of.get(id_, -1) for id_ in events.item_ids], dtype=np.int32)
    return Interactions(
        user_ids=[events.user_ids[number] for number in users.tolist()],
        item_ids=item_ids,
        users=numbers.astype(np.int32),
        items=places[events.items[order]],
        weights=weights[order],
        timestamps=times,
    )


def _sortable(times: Float64) -> Float64:
    """An unknown time counts as the oldest."""
    return np.nan_to_num(times, nan=0.0)


def _weights(
    events: Events, weights: Mapping[str, float], opinions: Mapping[int, float], share_beside_stars: float
) -> Float32:
    """The weight of each event; the rule is asked once for each distinct pair of type and value, and each opinion."""
    values, codes = np.unique(events.values, return_inverse=True)  # NaNs are one value here
    pairs, inverse = np.unique(events.kinds.astype(np.int64) * len(values) + codes, return_inverse=True)
    told = [None if np.isnan(value) else value for value in values.tolist()]
    found = [
        event_weight(events.types[kind], told[code], weights)
        for kind, code in zip((pairs // len(values)).tolist(), (pairs % len(values)).tolist(), strict=True)
    ]
    weighted = np.array(found, dtype=np.float32)[inverse]
    for row, opinion in opinions.items():
        type_, value = events.types[events.kinds[row]], told[codes[row]]
        weighted[row] = event_weight(type_, value, weights, opinion, share_beside_stars)
    return weighted


def clean_item(item: ItemInfo, changed: Counter[str]) -> ItemInfo:
    """The item with normalised text; `changed` counts the fields in which something changed."""

    def clean(value: str, where: str, lines: bool = False) -> str:
        found = normalised(value, lines)
        changed[where] += found != value
        return found

    def clean_attribute(value: AttributeValue) -> AttributeValue:
        if isinstance(value, str):
            return clean(value, "attributes")
        if isinstance(value, tuple):
            return tuple(clean(one, "attributes") for one in value)
        return value

    return replace(
        item,
        title=clean(item.title, "titles"),
        text=clean(item.text, "texts", lines=True),
        categories=tuple(dict.fromkeys(filter(None, (clean(name, "categories") for name in item.categories)))),
        attributes={name: clean_attribute(value) for name, value in item.attributes.items()},
    )


def normalised(value: str, lines: bool = False) -> str:
    """NFKC, no control characters, single spaces; `lines`: line ends stay."""
    if value.isascii() and value.isprintable() and "  " not in value:
        return value.strip()
    whole = unicodedata.normalize("NFKC", value)
    parts = whole.splitlines() if lines else [whole]
    return "\n".join(filter(None, (" ".join(_CONTROL.sub(" ", part).split()) for part in parts)))
