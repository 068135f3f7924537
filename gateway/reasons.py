"""Reasons: why an item is in an answer, for programs and for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.ranking import FRESH
from recmesh.v1.common_pb2 import Reason

MOST: Final = 2  # of an item; the third says nothing that would change a mind

BECAUSE: Final[Mapping[str, Mapping[str, str]]] = {
    "recommend": {"transitions": "often chosen after {}", "": "because you liked {}"},
    "similar": {"transitions": "often chosen after {}", "": "liked by those who liked {}"},
    "search": {},
}
"""By surface and source, where an entry of the history spoke for the item."""

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "recommend": {"ials": "fits your taste", "content": "its description resembles what you liked"},
    "similar": {"content": "its description resembles that of {}"},
    "search": {},
}
"""By surface and source, where no single entry did."""

ANYWHERE: Final[Mapping[str, str]] = {
    "popularity": "popular with everyone",
    "content": "its description resembles what you asked for",
    "title": "its title matches what you asked for",
    "itemknn": "liked by people like you",
    "transitions": "often chosen next",
    "ials": "fits your taste",
    FRESH: "new in the catalogue",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A reason without the titles."""

    kind: str
    text: str  # {}: the title of the item it goes back to
    item_id: str = ""

    def __call__(self, title: Callable[[str], str]) -> Reason:
        if not self.item_id:
            return Reason(kind=self.kind, text=self.text)
        return Reason(kind=self.kind, item_ids=[self.item_id], text=self.text.replace("{}", title(self.item_id)))


@dataclass(frozen=True, slots=True)
class Explaining:
    """What an answer's reasons are drawn from."""

    surface: str
    item_ids: Sequence[str] = ()  # the history that was asked with
    asked: bool = False  # there was a text, so that "content" means that text
    because: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def draft(self, place: int, sources: Sequence[str], is_new: bool) -> list[Draft]:
        """For the candidate at `place`; `sources` spoke for it, the strongest first."""
        if is_new:
            sources = [FRESH, *(source for source in sources if source != FRESH)]
        return [self._draft(source, place) for source in sources[:MOST]]

    def _draft(self, source: str, place: int) -> Draft:
        entry = self.because[source][place] if source in self.because else -1
        phrases = BECAUSE[self.surface]
        if 0 <= entry < len(self.item_ids) and phrases:
            return Draft(source, phrases.get(source, phrases[""]), self.item_ids[entry])
        text = ANYWHERE.get(source, source)
        if not self.asked:
            text = WORDS[self.surface].get(source, text)
        if "{}" in text:
            return Draft(source, text, self.item_ids[0])
        return Draft(source, text)
