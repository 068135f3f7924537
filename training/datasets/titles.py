"""Titles of films as MovieLens writes them: the year at the end, articles moved behind a comma."""

from __future__ import annotations

import re

_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-\u2013]\s*(?:\d{4})?)?\)\s*$")  # (1979), and of series (2006-2007)
_PART = re.compile(r"\(([^()]*)\)")
_ARTICLE = re.compile(r"(.+), (The|An?|L[aeo]s?|L'|El|Il|Gli|Une?|Der|Die|Das|Ein|Eine|De|Het|Den|Det|En|Ett|Os?|As)")


def split_year(title: str) -> tuple[str, int | None]:
    """`Alien (1979)` is Alien, of 1979."""
    found = _YEAR.search(title)
    return (title[: found.start()].strip(), int(found[1])) if found else (title.strip(), None)


def article_first(title: str) -> str:
    """`Postman, The (Postino, Il)` is The Postman (Il Postino)."""
    name = title.partition(" (")[0]
    return _move(name) + _PART.sub(lambda part: f"({_move(part[1])})", title[len(name) :])


def _move(name: str) -> str:
    found = _ARTICLE.fullmatch(name)
    if not found:
        return name
    space = "" if found[2].endswith("'") else " "
    return f"{found[2]}{space}{found[1]}"
