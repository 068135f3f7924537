"""Regression trees as LambdaMART grows them, applied to a table of features without the library that grew them.

After QuickScorer (Lucchese et al., "QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of
Regression Trees", 2015): a node whose test fails rules out the leaves on its left, and of the leaves that all failing
tests of a tree leave, the first one is where the row ends. Which leaves a feature's value rules out is looked up for
all trees at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.bundle import BundleData
from models.data import Float32, Float64, Int32
from models.writer import Parts

Node: TypeAlias = tuple[int, int, float, int]  # tree, feature, threshold, leaves ruled out

LEAVES: Final = 16  # of a tree at most: one bit of a mask each
ALL: Final = np.uint16(0xFFFF)
# Of every mask the number of its lowest bit.
LOWEST: Final = np.array([(mask & -mask).bit_length() - 1 if mask else 0 for mask in range(1 << LEAVES)], np.uint8)


@dataclass(frozen=True, slots=True)
class Splits:
    """The inner nodes of all trees, and what stands at the leaves."""

    trees: Int32  # of every node its tree
    features: Int32  # which one is tested
    thresholds: Float64  # a value above it fails
    ruled_out: NDArray[np.uint16]  # the leaves on the left, numbered from there on
    leaves: Float64  # trees by LEAVES

    @classmethod
    def of(cls, bundle: BundleData) -> Splits:
        parts = ("trees", "features", "thresholds", "ruled_out", "leaves")
        return cls(*(np.array(bundle.array(f"ranker_{part}")) for part in parts))

    def add_to(self, parts: Parts) -> None:
        parts.arrays["ranker_trees"] = self.trees
        parts.arrays["ranker_features"] = self.features
        parts.arrays["ranker_thresholds"] = self.thresholds
        parts.arrays["ranker_ruled_out"] = self.ruled_out
        parts.arrays["ranker_leaves"] = self.leaves


class Trees:
    """Trees ready to be applied."""

    def __init__(self, splits: Splits) -> None:
        self._leaves = splits.leaves
        self._tables = []
        for feature in np.unique(splits.features).tolist():
            nodes = np.flatnonzero(splits.features == feature)
            self._tables.append((feature, *_ruled_out(splits, nodes)))

    def __call__(self, table: Float32) -> Float64:
        """The score of every row; each number of `table` is finite."""
        left = np.full((len(table), len(self._leaves)), ALL)
        for feature, thresholds, remaining in self._tables:
            left &= remaining[np.searchsorted(thresholds, table[:, feature].astype(np.float64))]
        ends = LOWEST[left].astype(np.intp)
        ends += np.arange(len(self._leaves)) * self._leaves.shape[1]
        return np.asarray(self._leaves.ravel()[ends].sum(axis=1), np.float64)


def _ruled_out(splits: Splits, nodes: NDArray[np.int64]) -> tuple[Float64, NDArray[np.uint16]]:
    """The thresholds of one feature, and by how many of them a value exceeds the leaves that remain in every tree."""
    nodes = nodes[np.argsort(splits.thresholds[nodes], kind="stable")]
    thresholds = np.unique(splits.thresholds[nodes])
    remaining = np.full((len(thresholds) + 1, len(splits.leaves)), ALL)
    exceeded = np.searchsorted(thresholds, splits.thresholds[nodes]) + 1
    np.bitwise_and.at(remaining, (exceeded, splits.trees[nodes]), ~splits.ruled_out[nodes])
    return thresholds, np.bitwise_and.accumulate(remaining, axis=0)


def splits_of(dumped: Mapping[str, Any]) -> Splits:
    """From a model as LightGBM describes it (`Booster.dump_model`), fitted on tables without missing numbers."""
    rows: list[Node] = []
    leaves = np.zeros((len(dumped["tree_info"]), LEAVES))
    for number, tree in enumerate(dumped["tree_info"]):
        _walk(tree["tree_structure"], number, 0, rows, leaves)
    trees, features, thresholds, masks = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Splits(
        np.array(trees, np.int32),
        np.array(features, np.int32),
        np.array(thresholds, np.float64),
        np.array(masks, np.uint16),
        leaves,
    )


def _walk(node: Mapping[str, Any], tree: int, first: int, rows: list[Node], leaves: Float64) -> int:
    """Numbers the leaves below a node from `first` on; returns the number after its last."""
    if "leaf_value" in node:
        leaves[tree, first] = node["leaf_value"]
        return first + 1
    between = _walk(node["left_child"], tree, first, rows, leaves)
    left = (1 << between) - (1 << first)
    rows.append((tree, int(node["split_feature"]), float(node["threshold"]), left))
    return _walk(node["right_child"], tree, between, rows, leaves)
