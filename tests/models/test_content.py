"""Texts of one kind lie together, and lead to where users put such items."""

from __future__ import annotations

import numpy as np
import pytest

from models.content import (
    ContentConfig,
    fit_factor_map,
    fit_projection,
    inverse_frequencies,
    item_text,
    unit_rows,
    vectorize,
)
from models.data import Float32, Int32, ItemInfo
from models.sparse import matrix


def pieces(*texts: list[int]) -> list[Int32]:
    return [np.array(text, np.int32) for text in texts]


def nothing(_: int) -> None: ...


def test_the_text_of_an_item_holds_all_that_is_said_of_it() -> None:
    item = ItemInfo(
        "7", "Alien", "A crew in space.", ("Horror",), {"year": 1979.0, "cast": ("Weaver", "Hurt"), "x": None}
    )
    assert item_text(item).split("\n") == ["Alien", "Horror"] * 3 + ["A crew in space.", "Weaver Hurt"]
    assert item_text(ItemInfo("7")) == ""


def test_rare_pieces_weigh_more() -> None:
    idf = inverse_frequencies(pieces([0, 0, 1], [0], [0, 2]), 4)
    np.testing.assert_allclose(idf, np.log(np.array([4 / 4, 4 / 2, 4 / 2, 4 / 1])) + 1, rtol=1e-6)


def test_vectors_are_tf_idf_of_length_one() -> None:
    vectors = vectorize(pieces([1, 1, 0], [], [2]), np.array([1.0, 2.0, 5.0], np.float32)).toarray()
    first = np.array([1.0, 2.0 * (1 + np.log(2)), 0.0])
    expected = np.stack([first / np.linalg.norm(first), np.zeros(3), np.array([0.0, 0.0, 1.0])])
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_rows_of_zeros_stay_zero() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(rows, np.array([[0.6, 0.8], [0.0, 0.0]]), rtol=1e-6)


def test_the_projection_spans_the_leading_singular_vectors() -> None:
    rng = np.random.default_rng(0)
    dense = (rng.normal(size=(40, 3)) @ rng.normal(size=(3, 25))).astype(np.float32)
    rows, columns = np.nonzero(dense)
    texts = matrix(rows, columns, dense[rows, columns], dense.shape)
    projection = fit_projection(texts, ContentConfig(dimension=5), rng)
    assert projection.shape == (25, 5)
    assert not projection[:, 3:].any(), "the texts have three dimensions"
    np.testing.assert_allclose(dense @ projection @ projection.T, dense, atol=1e-3)


def test_texts_without_pieces_have_no_dimensions() -> None:
    texts = vectorize(pieces([], []), np.zeros(0, np.float32))
    assert fit_projection(texts, ContentConfig(dimension=4), np.random.default_rng(0)).shape == (0, 4)


def test_the_map_is_the_ridge_solution() -> None:
    rng = np.random.default_rng(1)
    dense = rng.random((30, 12)).astype(np.float32)
    rows, columns = np.nonzero(dense)
    factors: Float32 = rng.normal(size=(30, 4)).astype(np.float32)
    support = rng.integers(0, 9, 30).astype(np.float32)
    config = ContentConfig(regularization=2.0, steps=60)
    found = fit_factor_map(matrix(rows, columns, dense[rows, columns], dense.shape), factors, support, config, nothing)
    weighted = dense.T * np.log1p(support)
    exact = np.linalg.solve(weighted @ dense + 2.0 * np.eye(12), weighted @ factors)
    np.testing.assert_allclose(found, exact, atol=1e-3)


@pytest.mark.parametrize("setting", [{"dimension": 0}, {"steps": 0}, {"regularization": 0.0}])
def test_settings_that_mean_nothing_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        ContentConfig(**setting)  # type: ignore[arg-type]
