"""Histories and texts to vectors, in the space of tastes (factors) and in the space of meaning (content)."""

from __future__ import annotations

from collections.abc import Sequence

from models.bundle import BundleData
from models.data import Float32, History, ItemInfo


def item_text(item: ItemInfo) -> str:
    """The one text an item is embedded from, in training and when it is put."""
    raise NotImplementedError


class Encoder:
    """Embeds histories and texts; a row does not depend on the others of its batch."""

    factor_dimension: int
    content_dimension: int

    def __init__(self, bundle: BundleData) -> None:
        raise NotImplementedError

    def embed_histories(self, histories: Sequence[History]) -> tuple[Float32, Float32]:
        """Factors (n, d), zero where nothing of a history is known, and content profiles (n, c) of length 1 or 0."""
        raise NotImplementedError

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32, Float32]:
        """The factors (n, d) expected of items with these texts, and content vectors (n, c) of length 1 or 0."""
        raise NotImplementedError
