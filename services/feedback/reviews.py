"""What live reviews say, each read once a bundle version."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Final

from models.events import STARRED
from models.sentiment import READ, Sentiment
from services.feedback.events import Event

KEPT: Final = 100_000  # opinions in memory: 20 MB
DIGEST: Final = 16  # bytes that stand for a text


class Reviews:
    """Opinions of reviews; may be asked by several threads."""

    def __init__(self, sentiment: Sentiment) -> None:
        self._sentiment = sentiment
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()

    @property
    def share_beside_stars(self) -> float:
        return self._sentiment.share_beside_stars

    def unread(self, events: Sequence[Event]) -> int:
        """The characters that `opinions` would have to read."""
        with self._lock:
            return sum(min(len(text), READ) for text in self._texts(events) if _digest(text) not in self._known)

    def opinions(self, events: Sequence[Event]) -> Mapping[str, float]:
        """By text, of those events whose text counts."""
        texts = {text: _digest(text) for text in self._texts(events)}
        with self._lock:
            found = {text: self._known[digest] for text, digest in texts.items() if digest in self._known}
        unread = [text for text in texts if text not in found]
        if unread:
            found |= dict(zip(unread, self._sentiment.opinions(unread).tolist(), strict=True))
            self._keep({texts[text]: found[text] for text in unread})
        return found

    def _texts(self, events: Sequence[Event]) -> Iterable[str]:
        beside_stars = self.share_beside_stars > 0
        return {
            event.text: None
            for event in events
            if event.text and event.type in STARRED and (beside_stars or event.value is None)
        }

    def _keep(self, opinions: Mapping[bytes, float]) -> None:
        with self._lock:
            self._known |= opinions
            while len(self._known) > KEPT:
                self._known.popitem(last=False)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=DIGEST).digest()
