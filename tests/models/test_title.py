"""Titles are found by their words, however they are spelt."""

from __future__ import annotations

import numpy as np
import pytest

from models.title import Rarity, Titles, words

TITLES = ["Amélie", "The Godfather", "The Godfather: Part II", "The Castle"]


def titles() -> Titles:
    return Titles(TITLES, Rarity(TITLES))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Le Fabuleux Destin d'Amélie", {"le", "fabuleux", "destin", "d", "amelie"}),
        ("ＡＬＩＥＮ³ (1992)", {"alien3", "1992"}),
        ("Straße STRASSE", {"strasse"}),
        ("千と千尋", {"千と千尋"}),
        ("  -- ", set()),
    ],
)
def test_words_are_compared_without_case_accents_and_signs(text: str, found: set[str]) -> None:
    assert words(text) == found


def test_the_share_of_the_words_counts_squared() -> None:
    alone = Titles(["red", "green", "red green"], Rarity([]))
    found = alone.scores("red green")
    assert found is not None
    np.testing.assert_allclose(found, [0.25, 0.25, 1.0])


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    found = titles().scores("the amelie")
    assert found is not None and found[0] > 4 * found[1:].max() > 0


def test_accents_and_order_do_not_matter() -> None:
    found = titles().scores("PART Godfather")
    assert found is not None and found.argmax() == 2 and found[0] == 0.0


def test_a_title_that_says_no_more_than_was_asked_comes_first() -> None:
    found = titles().scores("the godfather")
    assert found is not None and found[1] == pytest.approx(1.0) and found[1] > found[2] > found[3] > 0


def test_a_text_without_words_says_nothing() -> None:
    assert titles().scores("?!") is None
    assert titles().scores("") is None


def test_an_unknown_word_takes_from_the_share() -> None:
    found = titles().scores("godfather zzz")
    assert found is not None and 0 < found[1] < 1


def test_appended_titles_are_found() -> None:
    some = titles()
    some.append(["Castle of Zzz"])
    found = some.scores("zzz")
    assert found is not None and np.flatnonzero(found).tolist() == [4]
