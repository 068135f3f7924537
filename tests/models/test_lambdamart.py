"""Trees give what walking down each of them gives, and what the library that grew them says."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import Float32
from models.lambdamart import LEAVES, Splits, Trees, splits_of
from models.writer import Parts

FEATURES = 3


def grown(rng: np.random.Generator, leaves: int) -> dict[str, Any]:
    """A random tree as LightGBM describes one; thresholds are coarse, so that values meet them."""
    if leaves == 1:
        return {"leaf_value": float(rng.normal())}
    left = int(rng.integers(1, leaves))
    return {
        "split_feature": int(rng.integers(FEATURES)),
        "threshold": float(rng.integers(-2, 3)),
        "left_child": grown(rng, left),
        "right_child": grown(rng, leaves - left),
    }


def walked(node: dict[str, Any], row: Float32) -> float:
    while "leaf_value" not in node:
        node = node["left_child" if row[node["split_feature"]] <= node["threshold"] else "right_child"]
    return float(node["leaf_value"])


@given(st.integers(0, 2**32), st.integers(0, 6))
def test_trees_give_what_walking_down_them_gives(seed: int, amount: int) -> None:
    rng = np.random.default_rng(seed)
    forest = [grown(rng, int(rng.integers(1, LEAVES + 1))) for _ in range(amount)]
    table = rng.choice([-2.5, -2, -1, 0, 0.5, 1, 2, 3], (8, FEATURES)).astype(np.float32)
    found = Trees(splits_of({"tree_info": [{"tree_structure": tree} for tree in forest]}))(table)
    expected = [sum(walked(tree, row) for tree in forest) for row in table]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.floats(-1e6, 1e6, width=32), st.floats(0, 1))
def test_a_threshold_between_two_numbers_tells_them_apart(below: float, between: float) -> None:
    above = float(np.nextafter(np.float32(below), np.float32(np.inf)))
    node = {
        "split_feature": 0,
        "threshold": min(below + between * (above - below), float(np.nextafter(above, -np.inf))),
        "left_child": {"leaf_value": 1.0},
        "right_child": {"leaf_value": 2.0},
    }
    trees = Trees(splits_of({"tree_info": [{"tree_structure": node}]}))
    assert trees(np.array([[below], [above]], np.float32)).tolist() == [1.0, 2.0]


def test_a_row_does_not_depend_on_its_company() -> None:
    rng = np.random.default_rng(1)
    trees = Trees(splits_of({"tree_info": [{"tree_structure": grown(rng, 9)} for _ in range(40)]}))
    table = rng.normal(size=(50, FEATURES)).astype(np.float32)
    np.testing.assert_array_equal(trees(table), np.concatenate([trees(row[None]) for row in table]))
    assert trees(table[:0]).shape == (0,)


@pytest.mark.parametrize("leaves", [2, 7, LEAVES])
def test_they_are_those_of_the_library(leaves: int) -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(size=(600, 5)).astype(np.float32)
    table[:, 4] = np.round(table[:, 4])
    relevant = (table[:, 0] + table[:, 1] * table[:, 4] > 0.5).astype(np.float32)
    settings = {"objective": "lambdarank", "num_leaves": leaves, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    model = lightgbm.train(settings, lightgbm.Dataset(table, relevant, group=[20] * 30), 25)
    found = Trees(splits_of(model.dump_model()))(table)
    np.testing.assert_allclose(found, np.asarray(model.predict(table), np.float64), rtol=1e-12, atol=1e-12)


def test_a_bundle_gives_them_back() -> None:
    splits = splits_of({"tree_info": [{"tree_structure": grown(np.random.default_rng(3), 5)}]})
    parts = Parts({})
    splits.add_to(parts)
    again = Splits.of(parts)
    table = np.random.default_rng(4).normal(size=(9, FEATURES)).astype(np.float32)
    np.testing.assert_array_equal(Trees(again)(table), Trees(splits)(table))
