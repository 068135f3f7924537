"""Topics of texts: words that go together, by a non-negative factorisation of tf-idf.

Fitted by hierarchical alternating least squares: Cichocki, Phan, "Fast Local Algorithms for Large Scale Nonnegative
Matrix and Tensor Factorizations" (2009). How well a topic's words go together is their mean normalised pointwise mutual
information: Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction" (2009).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.bundle import BundleData, settings_of
from models.content import item_text, vectorize
from models.data import Float32, Float64, Int32, ItemInfo
from models.sparse import Matrix, matrix
from models.tokenizer import normalize
from models.writer import Parts

TOPICS: Final = "topics"  # the attribute that holds an item's
WORDS_OF_LABEL: Final = 3
WORDS_JUDGED: Final = 10  # the first of a topic, as is usual for NPMI
LEARNT_FROM: Final = 20_000  # texts: more change the topics little
SHARE_STEPS: Final = 50  # until an item's shares hardly move
TINY: Final = 1e-12  # keeps divisions possible
_WORD = re.compile(r"[^\W\d_]{3,}")  # shorter ones say little by themselves


@dataclass(frozen=True, slots=True)
class TopicsConfig:
    """Settings of topics; the figures are mean NPMI on texts about films."""

    topics: int = 30  # .19; 50: .14
    steps: int = 30
    most_texts: float = 0.1  # the share of texts above which a word is no topic's: "the", or "film" among films
    least_texts: int = 10  # that a word stands in
    least_words: int = 10  # of a text to learn from
    least_coherence: float = 0.1  # NPMI of the topics that items are labelled with: others are hard to read
    least_share: float = 0.2  # of a text, for a topic to be the item's
    of_item: int = 2  # topics an item is labelled with, at most

    def __post_init__(self) -> None:
        if min(self.topics, self.of_item) < 0 or min(self.steps, self.least_texts, self.least_words) < 1:
            raise ValueError("topics and of_item are 0 or more; steps, least_texts and least_words 1 or more")
        if not (0 < self.most_texts <= 1 and 0 < self.least_share <= 1):
            raise ValueError("most_texts and least_share are shares above 0")


def words_of(item: ItemInfo) -> list[str]:
    """Without those of its title and its categories, which are shown anyway."""
    return _WORD.findall(normalize(item_text(replace(item, title="", categories=()))))


class Vocabulary:
    """Words by number."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._numbers = {word: number for number, word in enumerate(words)}

    def encode(self, text: Sequence[str]) -> Int32:
        return np.array([self._numbers[word] for word in text if word in self._numbers], np.int32)


class Topics:
    """Labels items with what their texts are about."""

    def __init__(self, bundle: BundleData) -> None:
        told = bundle.json("topics")
        self.labels: Sequence[str] = told["labels"]
        self.coherence: Sequence[float] = told["npmi"]
        self._config = settings_of(bundle, "topics", TopicsConfig)
        self._vocabulary = Vocabulary(told["words"])
        self._idf = np.array(bundle.array("topic_idf"))
        self._weights = np.array(bundle.array("topic_weights"), np.float64)
        self._gram = self._weights @ self._weights.T

    def labelled(self, items: Sequence[ItemInfo]) -> list[ItemInfo]:
        """The items with their topics as an attribute, but for those that have such an attribute of their own."""
        places = [place for place, item in enumerate(items) if TOPICS not in item.attributes]
        result = list(items)
        for place, labels in zip(places, self._of([items[place] for place in places]), strict=True):
            if labels:
                result[place] = replace(items[place], attributes={**items[place].attributes, TOPICS: labels})
        return result

    def _of(self, items: Sequence[ItemInfo]) -> list[tuple[str, ...]]:
        if not self.labels or not items:
            return [()] * len(items)
        texts = vectorize([self._vocabulary.encode(words_of(item)) for item in items], self._idf)
        loads = np.asarray(texts @ self._weights.T, np.float64)
        found = loads.copy()
        for _ in range(SHARE_STEPS):  # multiplicative: one item live takes a third of the time of sweeps over topics
            found *= loads / (found @ self._gram + TINY)
        return [self._strongest(row) for row in found * np.sqrt(np.diag(self._gram))]

    def _strongest(self, loads: Float64) -> tuple[str, ...]:
        shares = loads / max(loads.sum(), TINY)
        best = np.argsort(-shares, kind="stable")[: self._config.of_item].tolist()
        kept = self._config
        return tuple(
            self.labels[topic]
            for topic in best
            if shares[topic] >= kept.least_share and self.coherence[topic] >= kept.least_coherence
        )


def fit(
    items: Sequence[ItemInfo], config: TopicsConfig, rng: np.random.Generator, done: Callable[[int], None]
) -> Parts:
    """No topics where there are too few texts for them."""
    texts = [words for words in map(words_of, items) if len(words) >= config.least_words]
    texts = [texts[place] for place in np.sort(rng.permutation(len(texts))[:LEARNT_FROM]).tolist()]
    vocabulary, idf = _vocabulary(texts, config)
    pieces = [vocabulary.encode(text) for text in texts]
    count = min(config.topics, len(texts) // 10, len(vocabulary.words) // WORDS_JUDGED)
    weights = factorized(vectorize(pieces, idf), count, config.steps, rng, done)
    best = [np.argsort(-row, kind="stable")[:WORDS_JUDGED].astype(np.int32) for row in weights]
    told = {
        "words": list(vocabulary.words),
        "labels": [", ".join(vocabulary.words[word] for word in row[:WORDS_OF_LABEL]) for row in best],
        "npmi": [round(value, 4) for value in npmi(pieces, len(idf), best)],
    }
    return Parts({}, {"topic_idf": idf, "topic_weights": weights.astype(np.float32)}, documents={"topics": told})


def _vocabulary(texts: Sequence[Sequence[str]], config: TopicsConfig) -> tuple[Vocabulary, Float32]:
    """The words that can be a topic's, and log(texts / texts with the word) of each."""
    counts = Counter(word for text in texts for word in set(text))
    most = config.most_texts * len(texts)
    words = sorted(word for word, count in counts.items() if config.least_texts <= count <= most)
    return Vocabulary(words), np.log(len(texts) / np.array([counts[word] for word in words], np.float32))


def factorized(texts: Matrix, count: int, steps: int, rng: np.random.Generator, done: Callable[[int], None]) -> Float64:
    """Topics by words."""
    rows, columns = texts.shape
    if not count:
        done(steps)
        return np.zeros((0, columns))
    wide, transposed = texts.astype(np.float64), texts.T.astype(np.float64).tocsr()
    size = np.sqrt(wide.sum() / (rows * columns * count))
    of_texts, of_words = rng.random((rows, count)) * size, rng.random((columns, count)) * size
    for _ in range(steps):
        _improve(of_texts, np.asarray(wide @ of_words), of_words.T @ of_words)
        _improve(of_words, np.asarray(transposed @ of_texts), of_texts.T @ of_texts)
        done(1)
    return np.ascontiguousarray(of_words.T)


def _improve(solved: Float64, loads: Float64, gram: Float64) -> None:
    """One sweep over the columns of `solved` towards solved @ gram = loads, none below zero."""
    for place in range(len(gram)):
        step = (loads[:, place] - solved @ gram[:, place]) / max(gram[place, place], TINY)
        solved[:, place] = np.maximum(solved[:, place] + step, 0.0)


def npmi(texts: Sequence[Int32], vocabulary: int, topics: Sequence[Int32]) -> list[float]:
    """For each topic the mean over pairs of its words, from -1 (never together) to 1 (only together)."""
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    columns = np.concatenate([*texts, np.zeros(0, np.int32)])
    there = matrix(rows, columns, np.ones(len(rows), np.float32), (len(texts), vocabulary))
    there.data[:] = 1
    by_word = there.T.tocsr()
    found = []
    for words in topics:
        chosen = by_word[words]
        together = np.asarray((chosen @ chosen.T).toarray(), np.float64) / len(texts)
        alone = np.diag(together)
        first, second = np.triu_indices(len(words), 1)
        pairs, chance = together[first, second], alone[first] * alone[second]
        met = pairs > 0
        values = np.full(len(pairs), -1.0)
        values[met] = np.log(pairs[met] / chance[met]) / -np.log(np.minimum(pairs[met], 1 - TINY))
        found.append(float(values.mean()))
    return found
