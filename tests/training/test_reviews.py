"""Reviews without stars are weighed by what those with stars taught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.sentiment import SentimentConfig
from models.tokenizer import TokenizerConfig
from tests.training.datasets.support import lines, read
from training.preprocessing import Prepared, PreprocessingConfig, prepare
from training.progress import SilentProgress
from training.reviews import Judged, folds, judge

WORDS = {True: ("fine", "warm", "funny", "moving"), False: ("dull", "cold", "stale", "boring")}


def text_of(good: bool, number: int) -> str:
    first, second = WORDS[good][number % 4], WORDS[good][number // 4 % 4]
    return f"a {first} and {second} story"


def starred(count: int, kind: str = "rating") -> list[dict[str, object]]:
    """As many good as bad ones, by users and of items of their own."""
    return [
        {
            "user": f"u{place}",
            "item": f"i{place % 7}",
            "event": kind,
            "value": 5 if place % 2 else 1,
            "text": text_of(bool(place % 2), place // 2),
        }
        for place in range(2 * count)
    ]


REVIEWS: list[dict[str, object]] = [
    {"user": "a", "item": "i1", "event": "review", "text": "what a fine and moving evening"},
    {"user": "b", "item": "i1", "event": "review", "text": "what a dull and boring evening"},
    {"user": "c", "item": "i1", "event": "view", "text": "what a dull and boring evening"},
    {"user": "d", "item": "i1", "event": "review"},
]


def prepared(directory: Path, *rows: dict[str, object], share: float = 0.0, **files: str) -> tuple[Prepared, Judged]:
    config = SentimentConfig(
        tokenizer=TokenizerConfig(vocabulary=100), strength=1.0, least_reviews=10, share_beside_stars=share
    )
    named = {f"{name}.csv": content for name, content in files.items()}
    dataset = read(directory, {"interactions.jsonl": lines(*rows), **named})
    judged = judge(dataset, config, 0, SilentProgress())
    return prepare(dataset, PreprocessingConfig(), judged), judged


def weight_of(found: Prepared, user: str) -> float:
    row = int(np.flatnonzero(found.interactions.users == found.interactions.user_ids.index(user))[0])
    return float(found.interactions.weights[row])


def test_a_review_weighs_what_it_says(tmp_path: Path) -> None:
    found, _ = prepared(tmp_path, *starred(20), *REVIEWS)
    assert weight_of(found, "a") > 0.2 and weight_of(found, "b") < -0.2
    assert weight_of(found, "c") == pytest.approx(0.3)  # a view is a view, whatever was written
    assert weight_of(found, "d") == 1.0
    assert found.report.judged == 2
    assert "reviews weighted by what they say: 2" in list(found.report.lines())


@pytest.mark.parametrize("kind", ["rating", "review"])
def test_stars_stand_above_the_text(tmp_path: Path, kind: str) -> None:
    rows = [*starred(20, kind), {"user": "x", "item": "i1", "event": kind, "value": 5, "text": "dull, cold, stale"}]
    assert weight_of(prepared(tmp_path, *rows)[0], "x") == 1.0


def test_a_share_lets_the_text_count_beside_the_stars(tmp_path: Path) -> None:
    rows = [*starred(20), {"user": "x", "item": "i1", "event": "rating", "value": 5, "text": "dull, cold, stale"}]
    half, judged = prepared(tmp_path, *rows, share=0.5)
    said = judged.opinions[len(rows) - 1]
    assert said < 0 and weight_of(half, "x") == pytest.approx(1 + 0.5 * (said - 1))


def test_reviews_that_are_learnt_from_are_judged_by_a_model_that_has_not_seen_them(tmp_path: Path) -> None:
    """One praise in words of its own: a model that has seen it would know them."""
    strange = {"user": "x", "item": "i1", "event": "rating", "value": 5, "text": "zzz qqq zzz"}
    _, judged = prepared(tmp_path, *starred(20), strange, share=0.5)
    assert judged.sentiment is not None
    assert judged.opinions[40] < float(judged.sentiment.opinions(["zzz qqq zzz"])[0])


def test_too_few_reviews_with_stars_teach_nothing_and_that_is_said(tmp_path: Path) -> None:
    found, judged = prepared(tmp_path, *starred(3), *REVIEWS)
    assert judged.sentiment is None and weight_of(found, "b") == 1.0
    assert any(line.startswith("reviews without stars that count in full") for line in found.report.lines())


def test_opinions_from_elsewhere_teach_too(tmp_path: Path) -> None:
    rows = [f"{text_of(bool(place % 2), place // 2)},{1 + 4 * (place % 2)}" for place in range(40)]
    found, _ = prepared(tmp_path, *REVIEWS, opinions="\n".join(["text,value", *rows]))
    assert weight_of(found, "a") > 0 > weight_of(found, "b")


def test_each_row_is_asked_for_once_and_never_learnt_from_then() -> None:
    parts = list(folds(23, 5, np.random.default_rng(0)))
    assert sorted(np.concatenate([asked for _, asked in parts]).tolist()) == list(range(23))
    assert all(sorted([*learned, *asked]) == list(range(23)) for learned, asked in parts)
