"""The names of what can propose items, and when each of them has an opinion."""

from __future__ import annotations

from typing import Final

SOURCES: Final = (
    "ials",
    "itemknn",
    "transitions",
    "ease",
    "rp3beta",
    "sequence",
    "popularity",
    "trending",
    "content",
    "title",
    "words",
    "new",
)

# A score of zero from these says "nothing speaks for it": they propose only what is above zero.
# The others order the whole catalogue by an inner product, where zero means nothing special.
ABOVE_ZERO: Final = frozenset({"itemknn", "transitions", "ease", "rp3beta", "popularity", "trending", "title", "words"})

SURFACES: Final = ("recommend", "similar", "search")
