"""Items without categories get those their texts speak for, and are marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.categories import PREDICTED, CategoriesConfig, Predictor, fit, names_of
from models.content import inverse_frequencies, item_text
from models.data import ItemInfo
from models.tokenizer import Tokenizer, TokenizerConfig, train
from models.writer import Parts

WORDS = {"Space": ("rocket", "planet", "orbit", "comet"), "Love": ("wedding", "kiss", "letter", "rose")}
SMALL = CategoriesConfig(least_items=5, strength=10.0)


def item(number: int, *names: str) -> ItemInfo:
    words = [WORDS[name][(number + step) % 4] for name in names for step in range(2)]
    return ItemInfo(f"{number}-{'-'.join(names)}", title=f"Number {number}", text=" ".join(words), categories=names)


ITEMS = [item(number, *names) for number in range(12) for names in (("Space",), ("Love",), ("Love", "Space"))]


def predictor(items: list[ItemInfo] = ITEMS, config: CategoriesConfig = SMALL) -> Predictor:
    model = train([item_text(one) for one in items], TokenizerConfig(vocabulary=100))
    tokenizer = Tokenizer(model)
    idf = inverse_frequencies(tokenizer.encode([item_text(one) for one in items]), len(tokenizer))
    parts = Parts({}, {"piece_idf": idf}, files={"tokenizer.model": model})
    parts.include(fit(items, tokenizer, idf, config, np.random.default_rng(0), lambda done: None))
    return Predictor.of(parts)


def test_an_item_without_categories_gets_them_and_the_mark() -> None:
    bare = [
        ItemInfo("a", text="a rocket in orbit"),
        ItemInfo("b", text="a kiss and a rose", attributes={"year": 1999.0}),
    ]
    first, second = predictor().filled(bare)
    assert first.categories == ("Space",) and first.attributes == {PREDICTED: True}
    assert second.categories == ("Love",) and second.attributes == {"year": 1999.0, PREDICTED: True}


def test_an_item_can_get_several() -> None:
    (found,) = predictor().filled([ItemInfo("a", text="rocket planet wedding kiss")])
    assert found.categories == ("Love", "Space")


def test_what_the_source_says_stays() -> None:
    told = ItemInfo("a", text="a rocket in orbit", categories=("Love",))
    assert predictor().filled([told]) == [told]


def test_what_was_predicted_before_is_predicted_anew() -> None:
    wrong = ItemInfo("a", text="a rocket in orbit", categories=("Love",), attributes={PREDICTED: True})
    assert predictor().filled([wrong])[0].categories == ("Space",)


@pytest.mark.parametrize("bare", [ItemInfo("a", title="Rocket"), ItemInfo("b"), ItemInfo("c", text="\u4e16\u754c")])
def test_where_nothing_speaks_for_a_category_there_is_none(bare: ItemInfo) -> None:
    assert all(not found.categories or bare.text for found in predictor().filled([bare]))


def test_rare_categories_are_not_learnt() -> None:
    rare = [*ITEMS, replace(item(0, "Space"), categories=("Space", "Rare"))]
    assert names_of(rare, SMALL) == ["Love", "Space"]
    assert names_of(ITEMS, replace(SMALL, most=1)) == ["Love"]  # as frequent as the other, first by name


def test_items_without_any_categories_teach_none() -> None:
    bare = [replace(one, categories=()) for one in ITEMS]
    assert predictor(bare).filled(bare) == bare


def test_an_item_s_categories_do_not_depend_on_its_company() -> None:
    bare = [replace(one, categories=()) for one in ITEMS]
    one_by_one = [predictor().filled([one])[0] for one in bare[:6]]
    assert predictor().filled(bare)[:6] == one_by_one
