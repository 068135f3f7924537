"""Pieces of texts: how much of what a text is made of an item's text shares, rare pieces counting more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.bundle import BundleData
from models.content import item_text, vectorize
from models.data import Float32, Float64, Int32, ItemInfo
from models.sparse import Int64, Matrix, Rows
from models.tokenizer import Tokenizer
from models.writer import Parts


@dataclass(frozen=True, slots=True)
class Vector:
    """A text's tf-idf of pieces, of length 1."""

    pieces: Int32
    values: Float32


def add_words(parts: Parts, texts: Matrix) -> None:
    """`texts`: items by pieces, as `vectorize` makes them. Stored by piece, as a search reads them."""
    by_piece = texts.T.tocsr()
    by_piece.sort_indices()
    Rows(by_piece.indptr.astype(np.int64), by_piece.indices.astype(np.int32), by_piece.data).add_to(parts, "words")


class Words:
    """The cosine of a text with the text of every slot of a catalogue, exact where content vectors are condensed.

    The bundle's texts are read by column; those of put items, which have none or another, by slot.
    """

    def __init__(self, bundle: BundleData, own: Int64, width: int) -> None:
        self._rows = Rows.of(bundle, "words").only_columns(own, width)
        self._columns = len(own)
        self._tokenizer = Tokenizer(bundle.bytes("tokenizer.model"))
        self._idf = np.array(bundle.array("piece_idf"))
        self._put: dict[int, Vector] = {}
        self._postings: dict[int, tuple[list[int], list[float]]] = {}  # of put slots, by piece

    def put(self, first_slot: int, infos: Iterable[ItemInfo]) -> None:
        for slot, info in enumerate(infos, first_slot):
            self._add(slot, self._vector(item_text(info)))

    def keep(self, slots: Sequence[int]) -> None:
        """The slots are numbered anew, in this order; the others are gone."""
        put, self._put, self._postings = self._put, {}, {}
        for slot, before in enumerate(slots):
            if before in put:
                self._add(slot, put[before])

    def scores(self, text: str, columns: Int32) -> Float32 | None:
        """For every slot, `columns` being theirs; None: the text has no piece that was ever seen."""
        vector = self._vector(text) if text else None
        if vector is None or not len(vector.pieces):
            return None
        places, found, values = self._rows.gather(vector.pieces)
        sums = np.bincount(found, values * vector.values[places], minlength=self._columns)
        by_slot: Float64 = np.append(sums, 0.0)[columns]
        by_slot[list(self._put)] = 0.0
        for piece, value in zip(vector.pieces.tolist(), vector.values, strict=True):
            slots, there = self._postings.get(piece, ((), ()))
            by_slot[list(slots)] += np.array(there, np.float32) * value
        return by_slot.astype(np.float32)

    def _vector(self, text: str) -> Vector:
        row = vectorize(self._tokenizer.encode([text]), self._idf)
        return Vector(row.indices.astype(np.int32), row.data)

    def _add(self, slot: int, vector: Vector) -> None:
        self._put[slot] = vector
        for piece, value in zip(vector.pieces.tolist(), vector.values.tolist(), strict=True):
            slots, values = self._postings.setdefault(piece, ([], []))
            slots.append(slot)
            values.append(value)
