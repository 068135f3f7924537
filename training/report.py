"""What reading and cleaning did to a dataset: for people as lines, for the bundle's manifest as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from models.data import Interactions, ItemInfo
from training.datasets.model import Dataset


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """Counts before and after, and of everything that was changed, replaced or left out."""

    layout: str
    rows: Mapping[str, int]  # file -> rows found
    rejected: Mapping[str, Mapping[str, int]]  # file -> reason -> rows
    not_read: Sequence[str]  # files of the directory without a table
    notes: Mapping[str, int]
    interactions: tuple[int, int]  # before, after
    users: tuple[int, int]
    items: tuple[int, int]
    duplicates: int  # interactions that repeat another in everything
    replaced_ratings: int  # a later rating of the same item by the same user took their place
    left_out: int  # interactions below the minimum counts
    without_time: int  # interactions without a timestamp
    units: Mapping[str, int]  # timestamps that stood in another unit than seconds
    reviews: int  # interactions that carry a text
    judged: int  # of them were weighted by what they say
    unread: int  # of them have no stars, and too few others have some to learn from
    normalised: Mapping[str, int]  # fields of items whose text was changed
    weights: Mapping[str, int]  # interactions by the sign of their weight
    missing: Mapping[str, int]  # items that lack something
    event_weights: Mapping[str, float]  # those the dataset sets itself

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        interactions: Interactions,
        items: Sequence[ItemInfo],
        *,
        duplicates: int,
        replaced_ratings: int,
        left_out: int,
        without_time: int,
        units: Mapping[str, int],
        normalised_texts: Mapping[str, int],
        judged: int,
        unread: int,
    ) -> Self:
        events = dataset.events
        return cls(
            layout=dataset.layout,
            rows=dataset.rows,
            rejected=dataset.rejected,
            not_read=dataset.not_read,
            notes=dataset.notes,
            interactions=(len(events), len(interactions)),
            users=(len(events.user_ids), len(interactions.user_ids)),
            items=(len(dataset.items.keys() | set(events.item_ids)), len(items)),
            duplicates=duplicates,
            replaced_ratings=replaced_ratings,
            left_out=left_out,
            without_time=without_time,
            units=units,
            reviews=len(events.texts),
            judged=judged,
            unread=unread,
            normalised={name: count for name, count in normalised_texts.items() if count},
            weights={
                "liked": int((interactions.weights > 0).sum()),
                "neutral": int((interactions.weights == 0).sum()),
                "disliked": int((interactions.weights < 0).sum()),
            },
            missing=missing(len(np.unique(interactions.items)), items),
            event_weights=dataset.event_weights,
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people: what came in, what went out, and only those changes that happened."""
        rejected = sum(sum(reasons.values()) for reasons in self.rejected.values())
        yield f"read {self.layout}: " + ", ".join(f"{file} {count:,} rows" for file, count in self.rows.items())
        for name in ("interactions", "users", "items"):
            before, after = getattr(self, name)
            yield f"{name}: {after:,}" + (f" of {before:,}" if after != before else "")
        yield "of the interactions " + ", ".join(f"{count:,} {sign}" for sign, count in self.weights.items())
        counts = {
            "rows rejected": rejected,
            "duplicates left out": self.duplicates,
            "ratings replaced by a later one": self.replaced_ratings,
            "interactions below the minimum counts left out": self.left_out,
            "interactions without a timestamp": self.without_time,
            "reviews weighted by what they say": self.judged,
            "reviews without stars that count in full, for too few have stars to learn from": self.unread,
            **{f"timestamps in {unit} turned into seconds": count for unit, count in self.units.items()},
            **{f"{field} normalised": count for field, count in self.normalised.items()},
            **self.notes,
            **{f"items {lack}": count for lack, count in self.missing.items()},
        }
        yield from (f"{what}: {count:,}" for what, count in counts.items() if count)
        if self.not_read:
            yield f"not read: {', '.join(self.not_read)}"


def missing(taken: int, items: Sequence[ItemInfo]) -> dict[str, int]:
    """How many items lack something; `taken`: how many of them somebody took."""
    titles = Counter(item.title for item in items if item.title)
    return {
        "without interactions": len(items) - taken,
        "without a title": sum(not item.title for item in items),
        "that share their title": sum(count for count in titles.values() if count > 1),
        "without a text": sum(not item.text for item in items),
        "without categories": sum(not item.categories for item in items),
    }
