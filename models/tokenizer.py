"""Pieces of words: a SentencePiece unigram model, trained and applied."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sentencepiece

from models.data import Int32

# The trainer drops sentences of more bytes (its own default), so longer texts are cut before.
SENTENCE_BYTES = 4192
# A character has at most four bytes of UTF-8, and the trainer puts a mark of three in front.
SENTENCE_CHARACTERS = SENTENCE_BYTES // 4 - 1
# Control characters, the trainer's own mark for a space, and what it takes for a space: a text of them alone would end
# it with an error of its own.
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200c\u200e\u200f\u2581\ufeff\ufffd]+")


@dataclass(frozen=True, slots=True)
class TokenizerConfig:
    """Settings of the tokenizer."""

    vocabulary: int = 16_000  # at most; unseen films were found no worse by it than by 8,000, and it trains faster

    def __post_init__(self) -> None:
        if self.vocabulary < 100:
            raise ValueError("vocabulary is 100 or more")


def normalize(text: str) -> str:
    """NFKC and casefold: what two spellings of a word have in common."""
    return _UNWANTED.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def train(texts: Iterable[str], config: TokenizerConfig) -> bytes:
    """A serialized model; empty where no text has anything in it. The same texts give the same bytes."""
    sentences = [part for text in texts for part in _windows(normalize(text))]
    if not sentences:
        return b""
    model = io.BytesIO()
    characters = len(set("".join(sentences)))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="unigram",
        vocab_size=max(config.vocabulary, characters + 10),  # every character is a piece
        hard_vocab_limit=False,
        character_coverage=1.0,
        num_threads=1,
        max_sentence_length=SENTENCE_BYTES,
        minloglevel=2,
    )
    return model.getvalue()


def _windows(text: str) -> Iterator[str]:
    for start in range(0, len(text), SENTENCE_CHARACTERS):
        yield text[start : start + SENTENCE_CHARACTERS]


class Tokenizer:
    """Cuts texts into the numbers of pieces."""

    def __init__(self, model: bytes) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model) if model else None

    def __len__(self) -> int:
        return self._processor.vocab_size() if self._processor else 0

    def encode(self, texts: Sequence[str]) -> list[Int32]:
        if self._processor is None:
            return [np.zeros(0, np.int32)] * len(texts)
        encoded = self._processor.encode([normalize(text) for text in texts], num_threads=1)
        return [np.array(pieces, np.int32) for pieces in encoded]
