"""Reviews are told apart by their words, the same in training and from a bundle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sentiment import PIECES, WORDS, Sentiment, SentimentConfig, add_no_sentiment, fit, keys_of
from models.tokenizer import TokenizerConfig
from models.writer import Parts

CONFIG = SentimentConfig(tokenizer=TokenizerConfig(vocabulary=200), strength=1.0)
PRAISE = ["a fine and warm film", "warm, funny and fine", "not bad at all, a fine evening", "funny and moving"]
BLAME = ["a dull and cold film", "cold, stale and dull", "not good at all, a dull evening", "stale and boring"]


def judge() -> Sentiment:
    return fit((PRAISE + BLAME) * 5, np.array(([True] * 4 + [False] * 4) * 5), CONFIG)


def test_unseen_reviews_are_told_apart() -> None:
    good, bad = judge().opinions(["what a fine and funny evening", "what a dull and stale evening"]).tolist()
    assert good > 0.3 and bad < -0.3


def test_pairs_of_words_turn_a_word_around() -> None:
    good, bad = judge().opinions(["not bad", "not good"]).tolist()
    assert good > 0 > bad


def test_a_review_without_a_known_word_says_nothing() -> None:
    nothing, unknown = judge().opinions(["", "\u4e16\u754c"]).tolist()
    assert nothing == 0.0 and abs(unknown) < 0.1  # that it begins with a space is all that is known of it


def test_a_rare_answer_counts_as_much_as_a_frequent_one() -> None:
    found = fit(PRAISE * 20 + BLAME, np.array([True] * 80 + [False] * 4), CONFIG)
    assert found.opinions(["cold and boring"])[0] < 0 < found.opinions(["warm and moving"])[0]


def test_a_bundle_s_sentiment_says_the_same() -> None:
    parts = Parts({})
    sentiment = judge()
    sentiment.add_to(parts)
    read = Sentiment.of(parts)
    assert read is not None
    assert np.array_equal(read.opinions(PRAISE + BLAME), sentiment.opinions(PRAISE + BLAME))


def test_a_bundle_may_have_none() -> None:
    parts = Parts({})
    add_no_sentiment(parts)
    assert Sentiment.of(parts) is None


def test_the_same_reviews_give_the_same_bytes() -> None:
    first, second = Parts({}), Parts({})
    judge().add_to(first)
    judge().add_to(second)
    assert first.files == second.files and first.documents == second.documents
    assert all(np.array_equal(array, second.arrays[name]) for name, array in first.arrays.items())


def test_only_the_most_frequent_features_are_kept() -> None:
    parts = Parts({})
    texts, good = (PRAISE + BLAME) * 5, np.array(([True] * 4 + [False] * 4) * 5)
    fit(texts, good, SentimentConfig(tokenizer=TokenizerConfig(vocabulary=200), features=10)).add_to(parts)
    assert 0 < len(parts.array("sentiment_keys")) <= 10


@given(st.lists(st.integers(0, PIECES - 2), max_size=20), st.text(max_size=50))
def test_keys_are_distinct_ascending_and_apart(pieces: list[int], text: str) -> None:
    keys = keys_of(np.array(pieces, np.int32), text)
    assert (np.diff(keys) > 0).all() and (keys >= 0).all()
    pairs = set(pairwise(pieces))
    assert (keys < WORDS).sum() == len(set(pieces)) + len(pairs)


@pytest.mark.parametrize("wrong", [{"smoothing": 0.0}, {"share_beside_stars": 1.5}, {"least_reviews": 0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share_beside_stars|least_reviews"):
        SentimentConfig(**wrong)  # type: ignore[arg-type]
