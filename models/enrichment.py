"""What is added to an item beyond what its source says: predicted categories and topics."""

from __future__ import annotations

from collections.abc import Sequence

from models.bundle import BundleData
from models.categories import Predictor
from models.data import ItemInfo
from models.topics import Topics


class Enrichment:
    """Adds to items what a bundle's language models say; an item is embedded from what its source says alone."""

    def __init__(self, bundle: BundleData) -> None:
        self._categories = Predictor.of(bundle)
        self._topics = Topics(bundle)

    def enriched(self, items: Sequence[ItemInfo]) -> list[ItemInfo]:
        return self._topics.labelled(self._categories.filled(items))
