"""Texts become pieces, the same ones each time."""

from __future__ import annotations

import pytest

from models.tokenizer import SENTENCE_CHARACTERS, Tokenizer, TokenizerConfig, normalize, train

TEXTS = ["the knight in the castle", "the bride in the garden", "a castle and a garden at night"] * 3
SMALL = TokenizerConfig(vocabulary=100)


def test_the_same_texts_give_the_same_bytes() -> None:
    assert train(TEXTS, SMALL) == train(TEXTS, SMALL)


def test_spellings_that_mean_the_same_give_the_same_pieces() -> None:
    tokenizer = Tokenizer(train(TEXTS, SMALL))
    plain, shouted, wide = tokenizer.encode(["the castle", "  THE\nCastle", "\uff54\uff48\uff45 castle"])
    assert len(plain) and plain.tolist() == shouted.tolist() == wide.tolist()


def test_pieces_lie_inside_the_vocabulary() -> None:
    tokenizer = Tokenizer(train(TEXTS, SMALL))
    for pieces in tokenizer.encode([*TEXTS, "完全に unknown ✨"]):
        assert len(pieces) and pieces.min() >= 0 and pieces.max() < len(tokenizer)


@pytest.mark.parametrize("texts", [[], [""], ["\x00\n", "  "], ["\u200b", "\ufeff\u200e\ufffd"]])
def test_without_texts_there_is_an_empty_tokenizer(texts: list[str]) -> None:
    tokenizer = Tokenizer(train(texts, SMALL))
    assert len(tokenizer) == 0
    assert [len(pieces) for pieces in tokenizer.encode(["a", ""])] == [0, 0]


@pytest.mark.parametrize("texts", [["a"], ["日本語"], ["🎬" * 5000], ["x" * 20_000], ["▁ ▁"] * 2 + ["b"]])
def test_odd_texts_can_be_trained_on(texts: list[str]) -> None:
    assert len(Tokenizer(train(texts, SMALL))) > 0


def test_no_text_is_lost_for_its_length() -> None:
    rare = "zebra"
    model = Tokenizer(train(["the castle " * (SENTENCE_CHARACTERS // 4) + (rare + " ") * 50], SMALL))
    together = Tokenizer(train(["the castle " * 20], SMALL))
    assert len(model.encode([rare])[0]) < len(together.encode([rare])[0])


def test_normalizing_takes_control_characters_out() -> None:
    assert normalize(" A\x00b▁C ") == "a b c"


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        TokenizerConfig(vocabulary=10)
