"""A live review weighs what it says, by the bundle's own judgement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.data import Float32
from models.sentiment import Sentiment, SentimentConfig, fit
from models.tokenizer import TokenizerConfig
from services.feedback import reviews
from services.feedback.events import Event
from services.feedback.history import Past, live_history
from services.feedback.reviews import Reviews
from tests.services.feedback.kit import Service
from tests.services.feedback.kit import event as message
from tests.services.tiny import write_bundle

TEXTS = ["a fine and warm film", "a dull and cold film"] * 10


def sentiment(share: float = 0.0) -> Sentiment:
    config = SentimentConfig(tokenizer=TokenizerConfig(vocabulary=100), strength=1.0, share_beside_stars=share)
    return fit(TEXTS, np.array([True, False] * 10), config)


class Counting(Sentiment):
    """Remembers what it was asked."""

    def __init__(self, real: Sentiment) -> None:
        self.share_beside_stars = real.share_beside_stars
        self.asked: list[str] = []
        self._real = real

    def opinions(self, texts: Sequence[str]) -> Float32:
        self.asked += texts
        return self._real.opinions(texts)


def event(item: str, text: str, type_: str = "review", value: float | None = None) -> Event:
    return Event(item, "u", item, type_, value, 100.0, text, "")


def weights(events: Sequence[Event], judge: Sentiment | None) -> dict[str, float]:
    past = Past(None, {"review": 1.0, "rating": 1.0, "view": 0.3}, Reviews(judge) if judge else None)  # type: ignore[arg-type]
    history = live_history(events, past)
    return dict(zip(history.item_ids, history.weights.tolist(), strict=True))


def test_a_review_weighs_what_training_would_have_it_weigh() -> None:
    judge = sentiment()
    found = weights([event("a", "fine and warm"), event("b", "dull and cold")], judge)
    assert found == dict(zip("ab", judge.opinions(["fine and warm", "dull and cold"]).tolist(), strict=True))
    assert found["a"] > 0 > found["b"]


def test_stars_and_other_types_stand_as_they_are() -> None:
    events = [event("a", "dull and cold", "review", 5.0), event("b", "dull and cold", "view")]
    assert weights(events, sentiment()) == pytest.approx({"a": 1.0, "b": 0.3})


def test_a_share_counts_live_too() -> None:
    assert weights([event("a", "dull and cold", "rating", 5.0)], sentiment(0.5))["a"] < 0.6


def test_without_a_sentiment_a_review_counts_in_full() -> None:
    assert weights([event("a", "dull and cold")], None) == {"a": 1.0}


def test_a_review_is_read_once() -> None:
    judge = Counting(sentiment())
    known = Reviews(judge)
    events = [event("a", "fine"), event("b", "fine"), event("c", "dull"), event("d", "")]
    assert known.unread(events) == len("fine") + len("dull")
    assert known.opinions(events) == known.opinions(events)
    assert judge.asked == ["fine", "dull"] and known.unread(events) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "KEPT", 2)
    known = Reviews(sentiment())
    events = [event("a", "fine"), event("b", "warm"), event("c", "dull")]
    assert len(known.opinions(events)) == 3
    assert known.unread(events) == len("fine")


def test_the_service_weighs_reviews_by_the_bundle_it_answers_from(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    service = Service(tmp_path / "state", write_bundle(tmp_path / "models", sentiment=sentiment()).parent)
    stored = [("e1", "a", "fine and warm"), ("e2", "b", "dull and cold"), ("e3", "c", "dull and cold " * 500)]
    service.append(*(message(id_, item, type="review", text=text) for id_, item, text in stored))
    answer = service.history()
    found = dict(zip(answer.history.item_ids, np.frombuffer(answer.history.weights, "<f4").tolist(), strict=True))
    service.close()
    judged = sentiment().opinions([text for _, _, text in stored]).tolist()
    assert found == dict(zip("abc", judged, strict=True)) and found["a"] > 0 > found["b"]
