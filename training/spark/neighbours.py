"""Neighbours of items from sums over users, scored by the lines of the local models."""

from __future__ import annotations

import numpy as np

from models import ease, itemknn, rp3beta, transitions
from models.data import Float32, Float64, Int32, Interactions
from models.ease import Ease, EaseConfig
from models.itemknn import ItemKnnConfig
from models.rp3beta import Rp3BetaConfig
from models.sparse import Int64, Matrix, Rows, matrix_of
from models.transitions import TransitionsConfig
from training.spark.histories import Histories
from training.spark.sums import RowsOf, added_blocks, best_rows, blocks_of, inner_products, rows_of_block


def fit_itemknn(histories: Histories, squares: Float64, config: ItemKnnConfig) -> Rows:
    """`squares`: of every item the sum of its squared weights."""
    norms = np.sqrt(squares.astype(np.float32))

    def finish(similar: Matrix, items: Int64) -> None:
        itemknn.normalise(similar, items, norms, config)

    return best_rows(histories, inner_products, finish, config.neighbours)


def fit_transitions(histories: Histories, taken: Int64, config: TransitionsConfig) -> Rows:
    """`taken`: how often every item was."""

    def followed(chunk: Interactions) -> RowsOf:
        counts = transitions.counts(chunk, config)
        return lambda items: counts[items]

    def finish(counts: Matrix, items: Int64) -> None:
        transitions.hold_back(counts, items, taken, config)

    return best_rows(histories, followed, finish, config.neighbours)


def fit_rp3beta(histories: Histories, totals: Float64, config: Rp3BetaConfig) -> Rows:
    """`totals`: of every item the sum of its weights above zero."""

    def reached(chunk: Interactions) -> RowsOf:
        from_item, from_user = rp3beta.steps(rp3beta.wishes(matrix_of(chunk)), totals, config)
        return lambda items: from_item[items] @ from_user

    def finish(found: Matrix, items: Int64) -> None:
        rp3beta.hold_back(found, items, totals, config)

    return best_rows(histories, reached, finish, config.neighbours)


def fit_ease(histories: Histories, wished: Int64, config: EaseConfig, rng: np.random.Generator) -> Ease:
    """`wished`: how many took to every item. The driver holds the square of the items that have a place."""
    items = ease.chosen(wished, config)
    return ease.of_gram(items, _gram(histories, items), config, rng)


def _gram(histories: Histories, items: Int32) -> Float32:
    width, blocks = len(items), blocks_of(histories)

    def products(chunk: Interactions) -> RowsOf:
        wished = rp3beta.wishes(matrix_of(chunk))[:, items]
        by_item = wished.T.tocsr()
        return lambda rows: by_item[rows[rows < width]] @ wished

    gram = np.zeros((width, width), np.float32, order="F")
    for block, found in added_blocks(histories, products, width):
        places = rows_of_block(block, blocks, histories.width)
        gram[places[places < width]] = found.toarray()
    return gram
