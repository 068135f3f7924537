"""Reasons: why an item is in an answer, for programs and for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.ranking import NEW
from recmesh.v1.common_pb2 import Item, Reason

TOPICS: Final = "topics"  # the attribute in which a bundle's models write what an item is about
BY_DESCRIPTION: Final = "content"
MOST: Final = 2  # of an item; the third says nothing that would change a mind

GOES_BACK: Final[Mapping[str, Mapping[str, str]]] = {
    "recommend": {
        "itemknn": "because you liked {}",
        "rp3beta": "because you liked {}",
        "transitions": "others chose it after {}",
    },
    "similar": {
        "ials": "fits the same taste as {}",
        "itemknn": "liked by those who liked {}",
        "rp3beta": "liked by those who liked {}",
        "ease": "goes with {}",
        "transitions": "others chose it after {}",
        "content": "its description resembles that of {}",
    },
    "search": {},
}
"""By surface and source, where it is one item that spoke for this one."""

STANDS_ALONE: Final[Mapping[str, str]] = {
    "ials": "fits your taste",
    "itemknn": "liked by people like you",
    "transitions": "others chose it next",
    "ease": "goes with what you liked",
    "rp3beta": "liked by people like you",
    "sequence": "follows from what you chose lately",
    "popularity": "popular with everyone",
    "trending": "chosen by many these days",
    "content": "its description resembles what you liked",
    "title": "its title matches what you asked for",
    "words": "has words like those you asked for",
    NEW: "new in the catalogue",
}

ASKED_FOR: Final[Mapping[str, str]] = {
    "ials": "liked by those who like such items",
    "content": "its description resembles what you asked for",
}
"""The same where a text was asked with."""


NOTHING_LIKED: Final[Mapping[str, str]] = {"content": "its description differs from what you disliked"}
"""The same where a history has dislikes alone."""


def topics_of(item: Item) -> list[str]:
    """The best first."""
    told = item.attributes.fields.get(TOPICS)
    return [one.string_value for one in told.list_value.values if one.string_value] if told else []


@dataclass(frozen=True, slots=True)
class Draft:
    """A reason without the titles."""

    kind: str
    text: str  # {}: the title of the item it goes back to
    item_id: str = ""
    untitled: str = ""  # the text where that item is not in the catalogue any more

    def __call__(self, title: Callable[[str], str | None], shared: Callable[[str], str] = lambda item_id: "") -> Reason:
        """`shared`: the topic that the item with this reason has in common with another, or nothing."""
        if not self.item_id:
            return Reason(kind=self.kind, text=self.text)
        known = title(self.item_id)
        text = self.untitled if known is None and self.untitled else self.text.replace("{}", known or self.item_id)
        topic = shared(self.item_id) if self.kind == BY_DESCRIPTION else ""
        return Reason(kind=self.kind, item_ids=[self.item_id], text=f"{text} ({topic})" if topic else text)


@dataclass(frozen=True, slots=True)
class Explaining:
    """What an answer's reasons are drawn from."""

    surface: str
    item_ids: Sequence[str] = ()  # the history that was asked with
    weights: Sequence[float] = ()  # of its entries, below zero: disliked; empty: all were liked
    asked: bool = False  # there was a text, so that "content" means that text
    because: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def draft(self, place: int, sources: Sequence[str], is_new: bool) -> list[Draft]:
        """For the candidate at `place`; `sources` spoke for it, the strongest first.

        The strongest one's, and the strongest that names an item, which comes first: it says more to a person. What
        answers a search does so by its text, however much its being popular has raised it.
        """
        if self.surface == "search":
            sources = sorted(sources, key=lambda source: source == "popularity")
        if is_new:
            sources = [NEW, *(source for source in sources if source != NEW)]
        drafts = [self._draft(source, place) for source in sources]
        chosen = [*drafts[:1], *sorted(drafts[1:], key=lambda draft: not draft.item_id)][:MOST]
        return chosen if is_new else sorted(chosen, key=lambda draft: not draft.item_id)

    def _draft(self, source: str, place: int) -> Draft:
        phrase, alone = GOES_BACK[self.surface].get(source), self._alone(source)
        entry = self._entry(source, place)
        if phrase and 0 <= entry < len(self.item_ids) and not self._is_disliked(entry):
            return Draft(source, phrase, self.item_ids[entry], "" if self.surface == "similar" else alone)
        return Draft(source, alone)

    def _alone(self, source: str) -> str:
        alone = STANDS_ALONE.get(source, source)
        if self.asked and (source == "content" or not self.item_ids):  # a known taste stays the user's
            return ASKED_FOR.get(source, alone)
        return alone if self._any_liked() else NOTHING_LIKED.get(source, alone)

    def _any_liked(self) -> bool:
        return not self.weights or max(self.weights) > 0

    def _is_disliked(self, entry: int) -> bool:
        return bool(self.weights) and self.weights[entry] < 0

    def _entry(self, source: str, place: int) -> int:
        if self.surface == "similar":
            return 0  # the item that was asked about
        return self.because[source][place] if source in self.because else -1
