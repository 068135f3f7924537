"""Histories and texts become vectors, each row for itself."""

from __future__ import annotations

import numpy as np
import pytest

from models.encoder import Encoder, item_text
from models.histories import EMPTY, Histories
from models.ials import Solver
from models.sparse import matrix_of
from tests.models.worlds import SMALL, checkerboard, colour_of, fitted, history, item
from training.fit import fit_models, tidy
from training.progress import SilentProgress

ENCODER = Encoder(fitted().parts)


def test_dimensions_are_those_of_the_settings() -> None:
    assert (ENCODER.factor_dimension, ENCODER.content_dimension) == (8, 8)
    factors, contents = ENCODER.embed_histories([])
    assert factors.shape == contents.shape == (0, 8)
    factors, contents = ENCODER.embed_texts([])
    assert factors.shape == contents.shape == (0, 8)


def test_a_row_does_not_depend_on_its_company() -> None:
    histories = [history("0", "2"), EMPTY, history(*(str(number) for number in range(12))), history("7")]
    texts = ["a knight", "", "The Garden, a story of a bride " * 30, "rook"]
    together = [*ENCODER.embed_histories(histories), *ENCODER.embed_texts(texts)]
    for row in range(4):
        alone = [*ENCODER.embed_histories(histories[row : row + 1]), *ENCODER.embed_texts(texts[row : row + 1])]
        for whole, single in zip(together, alone, strict=True):
            np.testing.assert_array_equal(whole[row], single[0])


def test_an_unknown_history_is_zero() -> None:
    for nothing in (EMPTY, history("unknown", "other")):
        factors, contents = ENCODER.embed_histories([nothing])
        assert not factors.any() and not contents.any()


def test_unknown_entries_do_not_matter() -> None:
    # Without decay, so that their places do not count either.
    for with_, without in zip(
        ENCODER.embed_histories([history("x", "2", "y")]), ENCODER.embed_histories([history("2")]), strict=True
    ):
        np.testing.assert_array_equal(with_, without)


def test_the_fold_in_gives_a_user_of_the_training_data_their_factors() -> None:
    board = checkerboard(users=40, items=40)
    models = fit_models(*board, SMALL, SilentProgress())
    data, _ = tidy(*board)
    solver = Solver(models.parts.arrays["item_factors"], models.parts.arrays["ials_gram"], SMALL.ials)
    expected = solver.rows(matrix_of(data), lambda _: None)
    histories = Histories(models.parts)
    asked = [histories.of(user) for user in data.user_ids]
    factors, _ = Encoder(models.parts).embed_histories([one for one in asked if one is not None])
    np.testing.assert_allclose(factors, expected, atol=1e-4)


def test_a_profile_has_length_one_and_points_to_what_was_liked() -> None:
    _, contents = ENCODER.embed_histories([history("0", "2", "1", weights=[1, 1, -1])])
    assert np.linalg.norm(contents[0]) == pytest.approx(1.0, abs=1e-5)
    cosines = fitted().parts.arrays["item_contents"] @ contents[0]
    assert cosines[4] > 0 > cosines[3]


def test_a_text_stands_where_items_of_its_kind_do() -> None:
    for number in (0, 1):
        factors, contents = ENCODER.embed_texts([item_text(item(number + 100))])
        assert np.linalg.norm(contents[0]) == pytest.approx(1.0, abs=1e-5)
        ids = fitted().parts.tables["items"]["id"].to_pylist()
        for space, vector in (("item_factors", factors[0]), ("item_contents", contents[0])):
            near = np.argsort(-(fitted().parts.arrays[space] @ vector))[:6]
            assert {colour_of(ids[place]) for place in near} == {number}


@pytest.mark.parametrize("text", ["", "\x00\n", "   "])
def test_a_text_that_says_nothing_is_zero(text: str) -> None:
    factors, contents = ENCODER.embed_texts([text])
    assert not factors.any() and not contents.any()


def test_odd_texts_give_finite_vectors() -> None:
    factors, contents = ENCODER.embed_texts(["🎬" * 1000, "日本語", "\ud7ff\uffff", "x" * 65_536, "é̂"])
    assert np.isfinite(factors).all() and np.isfinite(contents).all()
