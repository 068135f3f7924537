"""Histories and texts to vectors: in the space of tastes (factors), of meaning (content), and of what comes next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.bundle import BundleData, settings_of
from models.content import item_text, unit_rows, vectorize
from models.data import Float32, History, Int32
from models.histories import decayed_weights
from models.ials import IalsConfig, Solver
from models.sasrec import Network
from models.tokenizer import Tokenizer

__all__ = ["Encoder", "item_text"]


class Encoder:
    """Embeds histories and texts; a row does not depend on the others of its batch."""

    def __init__(self, bundle: BundleData) -> None:
        self._rows = {item: row for row, item in enumerate(bundle.table("items")["id"].to_pylist())}
        self._config = settings_of(bundle, "ials", IalsConfig)
        self._solver = Solver(bundle.array("item_factors"), bundle.array("ials_gram"), self._config)
        self._mean_user = np.array(bundle.array("ials_mean_user"))
        self._contents = bundle.array("item_contents")
        self._tokenizer = Tokenizer(bundle.bytes("tokenizer.model"))
        self._idf = np.array(bundle.array("piece_idf"))
        self._projection = bundle.array("piece_contents")
        self._factor_map = bundle.array("piece_factors")
        self._network = Network.of(bundle)

    @property
    def factor_dimension(self) -> int:
        return int(self._solver.factors.shape[1])

    @property
    def content_dimension(self) -> int:
        return int(self._contents.shape[1])

    @property
    def sequence_dimension(self) -> int:
        """0: the bundle was fitted without a sequence model."""
        return self._network.dimension if self._network is not None else 0

    def embed_sequences(self, histories: Sequence[History]) -> Float32:
        """What the sequence model expects next (n, s), zero where nothing of a history is known."""
        if self._network is None:
            return np.zeros((len(histories), 0), np.float32)
        return self._network.embed(histories, self._rows)

    def embed_histories(self, histories: Sequence[History]) -> tuple[Float32, Float32]:
        """Factors (n, d), zero where nothing of a history is known, and content profiles (n, c) of length 1 or 0."""
        factors = np.zeros((len(histories), self.factor_dimension), np.float32)
        contents = np.zeros((len(histories), self.content_dimension), np.float32)
        for row, history in enumerate(histories):
            items, weights = self._known(history)
            if len(items):
                factors[row] = self._solver.fold_in(items, weights, self._mean_user)
                contents[row] = weights @ self._contents[items]
        return factors, unit_rows(contents)

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32, Float32]:
        """The factors (n, d) expected of items with these texts, and content vectors (n, c) of length 1 or 0."""
        vectors = vectorize(self._tokenizer.encode(texts), self._idf)
        factors, contents = vectors @ self._factor_map, vectors @ self._projection
        return np.asarray(factors, np.float32), unit_rows(np.asarray(contents, np.float32))

    def _known(self, history: History) -> tuple[Int32, Float32]:
        """The entries of the bundle's items: rows and decayed weights."""
        weights = decayed_weights(history, self._config.half_life)
        rows = np.array([self._rows.get(item, -1) for item in history.item_ids[: len(weights)]], np.int32)
        return rows[rows >= 0], weights[rows >= 0]
