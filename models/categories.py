"""Categories of items that come without any, predicted from their texts.

One logistic regression a category on the tf-idf of pieces; an item gets those whose line is above zero. Rare categories
weigh as much in a fit as frequent ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import logistic
from models.bundle import BundleData
from models.content import item_text, vectorize
from models.data import Float32, ItemInfo
from models.sparse import Matrix
from models.tokenizer import Tokenizer
from models.writer import Parts

PREDICTED: Final = "categories_predicted"  # the attribute that marks items whose categories are ours
LEARNT_FROM: Final = 20_000  # items: more gain little, and each category is a fit over all of them


@dataclass(frozen=True, slots=True)
class CategoriesConfig:
    """Settings of predicted categories."""

    strength: float = 1.0  # of the examples against the penalty; 4 and 16 were no better on unseen films
    least_items: int = 20  # a category with fewer is not predicted
    most: int = 100  # categories, the most frequent

    def __post_init__(self) -> None:
        if self.strength <= 0 or self.least_items < 1 or self.most < 0:
            raise ValueError("strength is above 0, least_items is 1 or more, most is 0 or more")


def is_told(item: ItemInfo) -> bool:
    """Whether its categories come from its source."""
    return bool(item.categories) and not item.attributes.get(PREDICTED)


def says_enough(item: ItemInfo) -> bool:
    """A title alone is no ground for a category."""
    return bool(item_text(replace(item, title="", categories=())))


class Predictor:
    """Texts to categories."""

    def __init__(self, tokenizer: Tokenizer, idf: Float32, names: Sequence[str], weights: Float32, offsets: Float32):
        self.names = names
        self._tokenizer = tokenizer
        self._idf = idf
        self._weights = weights  # pieces by categories
        self._offsets = offsets

    @classmethod
    def of(cls, bundle: BundleData) -> Predictor:
        tokenizer = Tokenizer(bundle.bytes("tokenizer.model"))
        names = bundle.json("categories")["names"]
        arrays = [np.array(bundle.array(name)) for name in ("piece_idf", "piece_categories", "category_offsets")]
        return cls(tokenizer, arrays[0], names, arrays[1], arrays[2])

    def of_items(self, items: Sequence[ItemInfo]) -> list[tuple[str, ...]]:
        """None where nothing speaks for any."""
        if not self.names:
            return [()] * len(items)
        lines = rows_of(self._tokenizer, self._idf, items) @ self._weights + self._offsets
        return [tuple(name for name, line in zip(self.names, row, strict=True) if line > 0) for row in lines.tolist()]

    def filled(self, items: Sequence[ItemInfo]) -> list[ItemInfo]:
        """The items, with categories predicted and marked where they have none."""
        result = list(items)
        places = [place for place, item in enumerate(items) if not is_told(item) and says_enough(item)]
        for place, names in zip(places, self.of_items([items[place] for place in places]), strict=True):
            if names:
                marked = {**items[place].attributes, PREDICTED: True}
                result[place] = replace(items[place], categories=names, attributes=marked)
        return result


def rows_of(tokenizer: Tokenizer, idf: Float32, items: Sequence[ItemInfo]) -> Matrix:
    """Items by pieces, without what their categories say."""
    return vectorize(tokenizer.encode([item_text(replace(item, categories=())) for item in items]), idf)


def learnable(items: Sequence[ItemInfo]) -> list[ItemInfo]:
    return [item for item in items if is_told(item) and says_enough(item)]


def names_of(items: Sequence[ItemInfo], config: CategoriesConfig) -> list[str]:
    """The categories frequent enough to be learnt, in order of their names."""
    counts = Counter(name for item in items for name in item.categories)
    frequent = [name for name, count in counts.items() if config.least_items <= count < len(items)]
    return sorted(sorted(frequent, key=lambda name: (-counts[name], name))[: config.most])


def has(items: Sequence[ItemInfo], names: Sequence[str]) -> NDArray[np.bool_]:
    """Items by categories."""
    column = {name: place for place, name in enumerate(names)}
    table = np.zeros((len(items), len(names)), np.bool_)
    for row, item in enumerate(items):
        table[row, [column[name] for name in item.categories if name in column]] = True
    return table


def fit_lines(
    rows: Matrix, told: NDArray[np.bool_], config: CategoriesConfig, done: Callable[[int], None]
) -> tuple[Float32, Float32]:
    """Weights, pieces by categories, and offsets."""
    weights, offsets = np.zeros((rows.shape[1], told.shape[1]), np.float32), np.zeros(told.shape[1], np.float32)
    for place in range(told.shape[1]):
        line = logistic.fit(rows, told[:, place], config.strength)
        weights[:, place], offsets[place] = line.weights, line.offset
        done(1)
    return weights, offsets


def fit(
    items: Sequence[ItemInfo],
    tokenizer: Tokenizer,
    idf: Float32,
    config: CategoriesConfig,
    rng: np.random.Generator,
    done: Callable[[int], None],
) -> Parts:
    known = learnable(items)
    chosen = [known[place] for place in np.sort(rng.permutation(len(known))[:LEARNT_FROM]).tolist()]
    names = names_of(chosen, config)
    weights, offsets = fit_lines(rows_of(tokenizer, idf, chosen), has(chosen, names), config, done)
    return Parts(
        {}, {"piece_categories": weights, "category_offsets": offsets}, documents={"categories": {"names": names}}
    )
