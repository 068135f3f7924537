"""The request path of the mesh in one process: the same calls in the same order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from models.bundle import BundleData
from models.data import History

# Candidates a source proposes over all shards. A page that ends further down asks for as many as it ends at.
CANDIDATES_PER_SOURCE: Final = 200


class LocalRecommender:
    """Recommends from a bundle without a mesh; the lists are those of the mesh."""

    def __init__(self, bundle: BundleData) -> None:
        raise NotImplementedError

    def recommend(
        self, history: History | None, count: int, exclude: Collection[str] = (), exclude_seen: bool = True
    ) -> list[tuple[str, float]]:
        """Best first; popular items where nothing of the history is known."""
        raise NotImplementedError

    def similar(self, item_id: str, count: int, exclude: Collection[str] = ()) -> list[tuple[str, float]]:
        raise NotImplementedError

    def search(self, text: str, count: int, exclude: Collection[str] = ()) -> list[tuple[str, float]]:
        raise NotImplementedError
