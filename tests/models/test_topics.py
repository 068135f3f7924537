"""Topics are words that go together; items are labelled with those their texts are about."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from models.data import ItemInfo
from models.topics import TOPICS, Topics, TopicsConfig, fit, npmi
from models.writer import Parts

SPACE = ["rocket", "planet", "orbit", "comet", "galaxy", "moon", "star", "crater", "probe", "launch"]
LOVE = ["wedding", "kiss", "letter", "rose", "bride", "dance", "summer", "heart", "ring", "promise"]
CONFIG = TopicsConfig(topics=2, least_texts=2, least_words=3, most_texts=0.6)


def items(seed: int = 0) -> list[ItemInfo]:
    """Forty items, the even ones about space."""
    rng = np.random.default_rng(seed)
    return [
        ItemInfo(str(number), text=" ".join(rng.choice(LOVE if number % 2 else SPACE, 6, replace=False)))
        for number in range(40)
    ]


def topics(config: TopicsConfig = CONFIG) -> Topics:
    return learnt(items(), config)


def learnt(texts: list[ItemInfo], config: TopicsConfig) -> Topics:
    parts = Parts({"topics": asdict(config)})
    parts.include(fit(texts, config, np.random.default_rng(0), lambda done: None))
    return Topics(parts)


def test_words_that_go_together_are_a_topic() -> None:
    found = topics()
    labels = [set(label.split(", ")) for label in found.labels]
    assert sorted(min(label <= set(SPACE), label <= set(LOVE)) for label in labels) == [False, False]
    assert all(label <= set(SPACE) or label <= set(LOVE) for label in labels)
    assert min(found.coherence) > 0.2


def test_items_are_labelled_with_what_they_are_about() -> None:
    found = topics()
    space = next(label for label in found.labels if set(label.split(", ")) <= set(SPACE))
    one, other = found.labelled([ItemInfo("a", text="a rocket to a comet"), ItemInfo("b", text="nothing of this")])
    assert one.attributes[TOPICS] == (space,)
    assert TOPICS not in other.attributes


def test_an_attribute_of_that_name_stays() -> None:
    own = ItemInfo("a", text="rocket comet", attributes={TOPICS: ("mine",)})
    assert topics().labelled([own]) == [own]


def test_an_item_s_topics_do_not_depend_on_its_company() -> None:
    found = topics()
    assert found.labelled(items())[:5] == [found.labelled([one])[0] for one in items()[:5]]


def test_topics_that_do_not_cohere_label_nothing() -> None:
    found = topics(replace(CONFIG, least_coherence=1.0))
    assert found.labels and found.labelled(items()) == items()


@pytest.mark.parametrize("count", [0, 3])
def test_few_texts_have_no_topics(count: int) -> None:
    found = learnt(items()[:count], CONFIG)
    assert found.labels == [] and found.labelled(items()) == items()


def test_npmi_is_one_for_words_that_only_come_together_and_less_than_zero_for_those_that_never_do() -> None:
    texts = [np.array(text, np.int32) for text in ([0, 1], [0, 1], [2], [3])]
    together, apart = npmi(texts, 4, [np.array([0, 1], np.int32), np.array([2, 3], np.int32)])
    assert together == pytest.approx(1.0) and apart == -1.0


def test_npmi_is_zero_for_words_that_meet_by_chance() -> None:
    texts = [np.array(text, np.int32) for text in ([0, 1], [0], [1], [2])]
    assert npmi(texts, 3, [np.array([0, 1], np.int32)]) == [pytest.approx(0.0)]
