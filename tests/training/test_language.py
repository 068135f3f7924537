"""What is learnt from texts is measured on what it has not seen, beside the simplest answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.categories import CategoriesConfig
from models.sentiment import SentimentConfig
from models.tokenizer import TokenizerConfig
from models.topics import TopicsConfig
from tests.models.worlds import SMALL, checkerboard
from tests.training.datasets.support import lines, read
from tests.training.test_commands import refused, run
from tests.training.test_reviews import starred, text_of
from training import language
from training.cold_items import cold_items
from training.language import Language, macro_f1, micro_f1
from training.progress import SilentProgress
from training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    sentiment=SentimentConfig(tokenizer=TokenizerConfig(100), strength=1.0, least_reviews=10),
    fit=replace(
        SMALL,
        categories=CategoriesConfig(least_items=5, strength=10.0),
        topics=TopicsConfig(topics=2, least_texts=2, least_words=2, most_texts=0.6),
    ),
)
KINDS = {
    "Space": ("rocket", "planet", "orbit", "comet", "galaxy", "moon", "star", "crater", "probe", "launch"),
    "Love": ("wedding", "kiss", "letter", "rose", "bride", "dance", "summer", "heart", "ring", "promise"),
}


def world() -> dict[str, str]:
    """Users keep to one kind of items, and review them."""
    kinds = list(KINDS)
    items = [
        {"item": f"i{n}", "text": " ".join(KINDS[kinds[n % 2]][(n + step) % 10] for step in range(7)),
         "categories": [kinds[n % 2]]}
        for n in range(40)
    ]  # fmt: skip
    events = [
        {"user": f"u{user}", "item": f"i{2 * n + user % 2}", "event": "rating", "value": 5 if n % 3 else 1,
         "timestamp": n, "text": text_of(bool(n % 3), n + user)}
        for user in range(12) for n in range(20) if (n + user) % 4
    ]  # fmt: skip
    return {"items.jsonl": lines(*items), "interactions.jsonl": lines(*events)}


def measured(directory: Path, part: str, files: dict[str, str] | None = None) -> Language:
    dataset = read(directory, files or world())
    return language.PARTS[part](dataset, SETTINGS, SilentProgress())


def values(found: Language) -> dict[tuple[str, str], float]:
    return {(one.model, one.metric): one.value for one in found.figures}


def test_sentiment_stands_beside_the_usual_answer(tmp_path: Path) -> None:
    found = values(measured(tmp_path, "sentiment", {"interactions.jsonl": lines(*starred(20))}))
    assert found["sentiment", "accuracy"] > 0.9 > found["the usual", "accuracy"] == 0.5
    assert found["the usual", "macro-f1"] == pytest.approx(1 / 3)


def test_categories_stand_beside_the_two_commonest(tmp_path: Path) -> None:
    found = values(measured(tmp_path, "categories"))
    assert found["predicted", "micro-f1"] > 0.9
    assert found["the two commonest", "micro-f1"] == pytest.approx(2 / 3)


def test_topics_show_their_labels_best_first(tmp_path: Path) -> None:
    found = measured(tmp_path, "topics")
    assert values(found)["2 topics", "npmi"] > 0
    assert len(found.notes) == 2 and all(note.startswith("topic: ") for note in found.notes)


def test_cold_items_stand_beside_chance_and_the_cosine(tmp_path: Path) -> None:
    found = measured(tmp_path, "cold-items")
    metrics = {"recall@10", "seed 0", "seed 1", "seed 2"}
    ways = ("text to factors", "content cosine", "chance")
    assert {(model, metric) for model in ways for metric in metrics} == values(found).keys()


def test_reviews_weigh_what_is_learnt_and_not_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "SHARES", (0.0, 1.0))
    found = values(measured(tmp_path, "reviews"))
    assert {metric for _, metric in found} == {"0% text", "100% text"}
    assert found["blend", "0% text"] > 0 and found["blend", "0% text"] != found["blend", "100% text"]


@pytest.mark.parametrize("part", list(language.PARTS))
def test_a_part_without_data_says_so(tmp_path: Path, part: str) -> None:
    found = measured(tmp_path, part, {"interactions.csv": "user,item\nu,a\nu,b\nv,a\n"})
    assert found.figures == [] and len(found.notes) == 1


def test_items_hidden_from_the_fit_are_found_by_their_texts() -> None:
    """Users keep to a colour, and so do words: a hidden item of the colour stands above those of the other."""
    data, items = checkerboard(users=40, items=40)
    (found,) = cold_items(data, items, SMALL, 1, SilentProgress())
    assert found.hidden == 6 and found.users == 40
    assert found.recall["text to factors"] == found.recall["chance"] == 1.0, "ten places hold all six"


def test_f1_counts_pairs_or_columns() -> None:
    told = np.array([[True, False], [True, True]])
    found = np.array([[True, True], [True, False]])
    assert micro_f1(found, told) == pytest.approx(4 / 6)
    assert macro_f1(found, told) == 0.5
    assert micro_f1(np.zeros((1, 1), np.bool_), np.zeros((1, 1), np.bool_)) == 1.0


def test_the_command_prints_tables_and_writes_figures(tmp_path: Path) -> None:
    rows = [f"{text_of(bool(n % 2), n // 2)} {n},{n % 2}" for n in range(220)]
    (tmp_path / "rt").mkdir()
    (tmp_path / "rt" / "opinions.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "rt" / "dataset.toml").write_text("[opinions]\nscale = [0, 1]\n")
    code, out, err = run("language", tmp_path / "rt", "--only", "sentiment", "--json", tmp_path / "found.json")
    assert code == 0, err
    assert any(line.startswith("sentiment, 10-fold") and line.endswith("macro-f1") for line in out.splitlines())
    results = json.loads((tmp_path / "found.json").read_text())["results"]
    assert {"part": "sentiment, 10-fold", "model": "the usual", "metric": "accuracy", "value": 0.5} in results


def test_the_command_refuses_data_without_anything_to_measure(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("user,item\nu,a\nu,b\n")
    assert "nothing can be measured: sentiment: too few" in refused("language", tmp_path, "--only", "sentiment")
