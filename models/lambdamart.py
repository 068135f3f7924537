"""Regression trees as LambdaMART grows them, applied to a table of features without the library that grew them.

After QuickScorer (Lucchese et al., "QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of
Regression Trees", 2015): a node whose test fails rules out the leaves on its left, and of the leaves that all failing
tests of a tree leave, the first one is where the row ends. All nodes are tested at once.
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
# Of every mask the number of its lowest bit that is not set.
FIRST_LEFT: Final = np.array([(~mask & -~mask).bit_length() - 1 for mask in range(1 << LEAVES)], np.uint8)
BLOCK: Final = 100  # rows: what 900 nodes say of so many stays in a core's own cache, which halves the time


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
    """Trees ready to be applied: the first node of every tree, then the second of each, up to what the largest has."""

    def __init__(self, splits: Splits) -> None:
        amount = len(splits.leaves)
        place, depth = _places(splits.trees, amount)
        small = not splits.ruled_out.size or splits.ruled_out.max() < 256
        features, thresholds = np.zeros((depth, amount), np.intp), np.full((depth, amount), np.inf, np.float32)
        ruled_out = np.zeros((depth, amount), np.uint8 if small else np.uint16)
        features[place, splits.trees] = splits.features
        thresholds[place, splits.trees] = _rounded_down(splits.thresholds)
        ruled_out[place, splits.trees] = splits.ruled_out
        self._features, self._thresholds = features.ravel(), thresholds.ravel()[:, None]
        self._ruled_out = ruled_out[:, :, None]
        self._leaves = splits.leaves
        self._first = np.arange(amount) * LEAVES  # where each tree's leaves begin

    def __call__(self, table: Float32) -> Float64:
        """The score of every row; each number of `table` is finite."""
        columns = np.ascontiguousarray(table.T)
        blocks = [self._scores(columns[:, start : start + BLOCK]) for start in range(0, len(table), BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def _scores(self, columns: Float32) -> Float64:
        fails = columns.take(self._features, axis=0) > self._thresholds
        by_tree = fails.view(np.uint8).reshape(*self._ruled_out.shape[:2], columns.shape[1])
        ruled_out = np.bitwise_or.reduce(by_tree * self._ruled_out, axis=0)
        ends = FIRST_LEFT.take(ruled_out.T) + self._first
        return np.asarray(self._leaves.take(ends).sum(axis=1), np.float64)


def _places(trees: Int32, amount: int) -> tuple[NDArray[np.int64], int]:
    """The number of every node among those of its tree, and how many the largest tree has."""
    order, counts = np.argsort(trees, kind="stable"), np.bincount(trees, minlength=amount)
    place = np.empty(len(trees), np.int64)
    place[order] = np.arange(len(trees)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place, int(counts.max(initial=0))


def _rounded_down(thresholds: Float64) -> Float32:
    """What the same float32 numbers are above."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


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
