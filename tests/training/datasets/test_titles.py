"""Titles of films."""

from __future__ import annotations

import pytest

from training.datasets.titles import article_first, split_year


@pytest.mark.parametrize(
    ("written", "title", "year"),
    [
        ("Alien (1979)", "Alien", 1979),
        ("96 Minutes (2011) ", "96 Minutes", 2011),
        ("Death Note: Desu nôto (2006\u20132007)", "Death Note: Desu nôto", 2006),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Tale of Two (1995 remix)", "Tale of Two (1995 remix)", None),
        ("2001", "2001", None),
        ("Babylon 5", "Babylon 5", None),
        ("", "", None),
    ],
)
def test_the_year_is_split_off(written: str, title: str, year: int | None) -> None:
    assert split_year(written) == (title, year)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Matrix, The", "The Matrix"),
        ("Postman, The (Postino, Il)", "The Postman (Il Postino)"),
        ("American in Paris, An", "An American in Paris"),
        ("Avventura, L' (Adventure, The)", "L'Avventura (The Adventure)"),
        ("Hate (Haine, La)", "Hate (La Haine)"),
        ("Seven (a.k.a. Se7en)", "Seven (a.k.a. Se7en)"),
        ("Girl, Interrupted", "Girl, Interrupted"),
        (
            "Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il)",
            "The Good, the Bad and the Ugly (Il Buono, il brutto, il cattivo)",
        ),
        ("Unclosed (La", "Unclosed (La"),
    ],
)
def test_articles_come_first(written: str, title: str) -> None:
    assert article_first(written) == title
