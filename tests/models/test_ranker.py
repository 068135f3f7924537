"""The trees change who stands where in the blend's head, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.blend import SHORT, Blend, Ranked
from models.bundle import Bundle
from models.data import Float32, History
from models.features import feature_names
from models.lambdamart import splits_of
from models.pipeline import LocalRecommender
from models.ranker import Ranker, no_ranker
from models.writer import BundleWriter, Parts
from tests.models.worlds import fitted, history

SOURCES = ["ials", "popularity"]
ASKED = history("0", "2")


USUAL = {surface: weights for surface, weights in fitted().parts.json("blend").items() if surface != SHORT}


def parts(feature: str = "score of ials", sign: float = -1.0) -> Parts:
    """Trees that put what a feature says least of before (sign -1) or behind all others."""
    number = feature_names(SOURCES).index(feature)
    below, above = {"leaf_value": 0.0}, {"leaf_value": sign}
    steps = [
        {"split_feature": number, "threshold": step / 10, "left_child": below, "right_child": above}
        for step in range(-20, 21)
    ]
    found = replace(fitted().parts, arrays=dict(fitted().parts.arrays), documents=dict(fitted().parts.documents))
    splits_of({"tree_info": [{"tree_structure": step} for step in steps]}).add_to(found)
    found.documents["blend"] = USUAL
    found.documents["ranker"] = {"sources": SOURCES}
    return found


def columns(**scores: list[float]) -> dict[str, Float32]:
    return {name: np.array(column, np.float32) for name, column in scores.items()}


IDS = ["4", "6", "8", "10"]
SCORES = columns(ials=[1.0, 0.5, 0.0, -0.5], popularity=[1.0, 1.0, 1.0, 1.0])


def ranked(bundle: Parts, asked: History | None = ASKED, count: int = 0, **others: list[float]) -> list[str]:
    found = Ranker.of(bundle).rank("recommend", IDS, SCORES | columns(**others), count, 0, asked)
    return [IDS[place] for place in found.order.tolist()]


def blended(surface: str = "recommend", ids: list[str] = IDS) -> Ranked:
    return Blend.of(fitted().parts).rank(surface, ids, SCORES, 0)


def test_the_trees_decide_who_gets_which_of_the_blends_scores() -> None:
    found, plain = Ranker.of(parts()).rank("recommend", IDS, SCORES, 0, 0, ASKED), blended()
    assert [IDS[place] for place in found.order.tolist()] == IDS[::-1]
    np.testing.assert_array_equal(found.scores, plain.scores)
    by_place = dict(zip(plain.order.tolist(), plain.contributions["ials"].tolist(), strict=True))
    assert found.contributions["ials"].tolist() == [by_place[place] for place in found.order.tolist()]


def test_what_is_returned_is_the_start_of_the_whole() -> None:
    assert ranked(parts(), count=2) == ranked(parts())[:2]


def test_candidates_may_come_in_any_order() -> None:
    backwards = columns(**{name: column[::-1].tolist() for name, column in SCORES.items()})
    found = Ranker.of(parts()).rank("recommend", IDS[::-1], backwards, 0, 0, ASKED)
    assert [IDS[::-1][place] for place in found.order.tolist()] == ranked(parts())


def test_among_equal_ones_the_blends_order_stands() -> None:
    assert ranked(parts("score of popularity")) == [IDS[place] for place in blended().order.tolist()]


@pytest.mark.parametrize("asked", [None, history()])
def test_without_a_history_the_blend_decides(asked: History | None) -> None:
    assert ranked(parts(), asked) == IDS


def test_with_a_text_the_blend_decides() -> None:
    assert ranked(parts(), title=[0.0] * 4) == IDS


def test_where_a_stage_is_away_the_blend_decides() -> None:
    found = Ranker.of(parts()).rank("recommend", IDS, columns(popularity=[1, 2, 3, 4]), 0, 0, ASKED)
    assert [IDS[place] for place in found.order.tolist()] == IDS[::-1]


def test_other_surfaces_keep_the_blend() -> None:
    found = Ranker.of(parts()).rank("similar", IDS, SCORES, 0, 0, ASKED)
    assert found.order.tolist() == blended("similar").order.tolist()


def test_a_bundle_without_trees_keeps_the_blend() -> None:
    bundle = parts()
    no_ranker(bundle)
    assert ranked(bundle) == IDS and Ranker.of(bundle).trees is None


def test_an_item_nobody_could_take_keeps_its_place() -> None:
    ids = ["4", "brand new", "8", "10"]
    found = Ranker.of(parts()).rank("recommend", ids, SCORES, 0, 0, ASKED)
    assert [ids[place] for place in found.order.tolist()] == ["10", "brand new", "8", "4"]


def test_what_lies_deeper_than_the_trees_look_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.ranker.DEPTH", 2)
    assert ranked(parts()) == ["6", "4", "8", "10"]


def test_the_request_path_uses_them_and_a_written_bundle_too(tmp_path: Path) -> None:
    bundle = parts("popularity above the history's", 1.0)
    recommended = LocalRecommender(bundle).recommend(ASKED, 5)
    with BundleWriter("board", tmp_path) as writer:
        writer.add(bundle)
        path = writer.finish(bundle.config, {}, "", 0.0)
    assert LocalRecommender(Bundle.open(path)).recommend(ASKED, 5) == recommended
    turned = LocalRecommender(parts("popularity above the history's", -1.0)).recommend(ASKED, 5)
    assert [score for _, score in turned] == [score for _, score in recommended]


def test_a_history_shorter_than_those_learnt_from_leaves_the_blends_order() -> None:
    taught = parts()
    taught.documents["ranker"] = {"sources": SOURCES, "shortest_history": 2}
    plain = [IDS[place] for place in blended().order.tolist()]
    assert ranked(taught, history("0")) == plain != ranked(taught, history("0", "2"))


def test_users_of_whom_little_is_known_get_their_own_weights_and_the_trees_order_what_the_usual_ones_give() -> None:
    taught = parts("popularity above the history's")
    columns_of = columns(ials=SCORES["ials"].tolist(), popularity=[0.0, 1.0, 2.0, 3.0])
    usual = {**USUAL, "recommend": {"ials": 1.0}}
    taught.documents["blend"] = {**usual, SHORT: {"below": 2, "weights": {"popularity": 1.0}}}
    taught.documents["ranker"] = {"sources": SOURCES, "shortest_history": 1}

    def scored(bundle: Parts, asked: History) -> list[float]:
        return list(Ranker.of(bundle).rank("recommend", IDS, columns_of, 0, 0, asked).scores)

    by_trees = scored(taught, history("0"))
    taught.documents["ranker"] = {"sources": SOURCES, "shortest_history": 2}
    alone = Ranker.of(taught).rank("recommend", IDS, columns_of, 0, 0, history("0"))
    assert [IDS[place] for place in alone.order.tolist()] == IDS[::-1]
    assert by_trees == list(Blend(usual).rank("recommend", IDS, columns_of, 0).scores)
    assert scored(taught, ASKED) == by_trees
