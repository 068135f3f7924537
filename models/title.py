"""Words of titles: how much of what was asked for stands in a title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from models.data import Float32

_WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """The distinct words, casefolded and without accents, as both a title and a query are compared."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return frozenset(_WORD.findall("".join(one for one in plain if not unicodedata.combining(one))))


class Titles:
    """An index from words to the places of titles; places are only ever appended."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._places: dict[str, list[int]] = {}
        self._count = 0
        self.append(titles)

    def append(self, titles: Sequence[str]) -> None:
        for place, title in enumerate(titles, self._count):
            for word in words(title):
                self._places.setdefault(word, []).append(place)
        self._count += len(titles)

    def scores(self, text: str) -> Float32 | None:
        """For every title the share of the text's words found in it; None: the text has no words."""
        asked = words(text)
        if not asked:
            return None
        found = np.zeros(self._count, np.float32)
        for word in asked:
            found[self._places.get(word, [])] += 1
        return found / np.float32(len(asked))
