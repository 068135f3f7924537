"""What the ranker looks at says what its name says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.data import Float32, History
from models.features import CAP, DAY, LAST, MISSING, Features, add_item_features, feature_names
from models.sparse import Rows
from models.writer import Parts
from tests.models.networks import drawn, with_network
from tests.models.worlds import checkerboard, fitted, history, interactions

NAN = float("nan")
NONE = float(MISSING)


def table(
    items: list[str], scores: dict[str, list[float]], asked: History, blend: list[float] | None = None
) -> dict[str, Float32]:
    """The features by their names."""
    features = Features(fitted().parts, sorted(scores))
    columns = {name: np.array(values, np.float32) for name, values in scores.items()}
    given = np.array(blend or [0.0] * len(items), np.float32)
    found = features.table(features.rows(items), given, columns, asked)
    names = feature_names(sorted(scores))
    assert found.shape == (len(items), len(names)) and len(set(names)) == len(names)
    assert np.isfinite(found).all(), "trees know no missing numbers"
    return dict(zip(names, found.T, strict=True))


def test_a_source_says_a_score_a_share_and_a_rank() -> None:
    found = table(["4", "6", "8", "1"], {"ials": [0.2, -0.4, 0.1, NAN], "itemknn": [0.0, 3.0, 1.0, NAN]}, history("2"))
    np.testing.assert_allclose(found["score of ials"], [0.2, -0.4, 0.1, NONE], rtol=1e-6)
    np.testing.assert_allclose(found["share of the best of itemknn"], [0, 1, 1 / 3, NONE], rtol=1e-6)
    assert found["rank of ials"].tolist() == [0, 2, 1, CAP + 1]
    assert found["rank of itemknn"].tolist() == [CAP + 1, 0, 1, CAP + 1], "a score of zero is no proposal"


def test_ranks_end_at_the_cap() -> None:
    numbers = [float(-place) for place in range(CAP + 20)]
    found = table(["4"] * len(numbers), {"ials": numbers}, history("2"))
    assert found["rank of ials"].tolist() == [min(place, CAP) for place in range(CAP + 20)]


def test_a_source_that_is_away_is_missing_everywhere() -> None:
    features = Features(fitted().parts, ["itemknn"])
    found = features.table(features.rows(["4", "6"]), np.zeros(2, np.float32), {}, history("2"))
    assert found[:, 1].tolist() == [MISSING, MISSING]


def test_items_users_taught_nothing_of_have_no_row() -> None:
    features = Features(fitted().parts, [])
    assert (features.rows(["0", "unheard of"]) >= 0).tolist() == [True, False]
    untaught = replace(fitted().parts, arrays=dict(fitted().parts.arrays))
    untaught.arrays["item_learned"] = np.zeros(12, np.bool_)
    assert features.rows([]).tolist() == [] and Features(untaught, []).rows(["0"]).tolist() == [-1]


def test_a_candidate_is_compared_with_the_last_entries_that_were_not_disliked() -> None:
    asked = history("3", "0", "unknown", "2", weights=[-1.0, 1.0, 1.0, 1.0])
    found = table(["4", "5"], {}, asked)
    parts, rows = fitted().parts, [0, 2]
    ids = parts.tables["items"]["id"].to_pylist()
    rows = [ids.index("0"), ids.index("2")]
    knn = Rows.of(parts, "itemknn")
    for name, last in (("itemknn like the last 1", rows[:1]), ("itemknn like the last 3", rows)):
        weights = []
        for row in last:
            part = slice(int(knn.starts[row]), int(knn.starts[row + 1]))
            near = dict(zip(knn.columns[part].tolist(), knn.values[part].tolist(), strict=True))
            weights.append(near.get(ids.index("4"), 0.0))
        assert found[name][0] == pytest.approx(np.mean(weights), rel=1e-5) and found[name][1] == 0
    factors = parts.arrays["item_factors"]
    mine, other = factors[ids.index("4")], factors[rows[0]]
    cosine = mine @ other / np.linalg.norm(mine) / np.linalg.norm(other)
    assert found["factors like the last 1"][0] == pytest.approx(cosine, rel=1e-5)
    assert found["content like the last 1"][0] > found["content like the last 1"][1]


def test_items_are_compared_as_the_sequence_model_knows_them_where_it_is_a_source() -> None:
    parts, scores = with_network(fitted().parts, drawn(12)), np.zeros(2, np.float32)
    features, asked = Features(parts, ["sequence"]), history("0", "2")
    found = features.table(features.rows(["4", "5"]), scores, {"sequence": scores}, asked)
    named = dict(zip(feature_names(["sequence"]), found[0], strict=True))
    ids, vectors = parts.tables["items"]["id"].to_pylist(), parts.arrays["sequence_items"]
    mine, *others = (vectors[ids.index(item)] for item in ("4", "0", "2"))
    cosines = [mine @ other / np.linalg.norm(mine) / np.linalg.norm(other) for other in others]
    assert named["sequence like the last 1"] == pytest.approx(cosines[0], rel=1e-5)
    assert named["sequence like the last 3"] == pytest.approx(np.mean(cosines), rel=1e-5)
    nobody = features.table(features.rows(["4"]), scores[:1], {"sequence": scores[:1]}, history("unknown"))
    assert nobody.shape == (1, len(named)) and not nobody[0, -3:].any()
    assert feature_names(["ials", "sequence"])[-3:] == tuple(f"sequence like the last {last}" for last in LAST)
    assert not any("sequence" in name for name in feature_names(["ials"]))


def test_a_history_of_unknown_items_is_like_nothing() -> None:
    found = table(["4"], {}, history("unknown"))
    assert all(found[f"factors like the last {last}"][0] == 0 for last in LAST)
    assert found["history length"][0] == pytest.approx(np.log(2))


def test_popularity_stands_beside_that_of_the_history() -> None:
    found, popularity = table(["4", "5"], {}, history("2")), fitted().parts.arrays["popularity"]
    ids = fitted().parts.tables["items"]["id"].to_pylist()
    assert found["popularity"][0] == popularity[ids.index("4")]
    expected = popularity[ids.index("4")] - popularity[ids.index("2")]
    assert found["popularity above the history's"][0] == pytest.approx(expected, abs=1e-6)


def test_items_have_an_age_and_a_share_of_late_events() -> None:
    data = interactions([(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)] * 2, 3, 3)
    data = replace(data, timestamps=np.arange(10.0) * DAY)
    parts = Parts({})
    add_item_features(parts, data)
    late = data.items[data.timestamps > 8 * DAY]
    assert parts.arrays["item_recent"][1] == pytest.approx((late == 1).sum() / (data.items == 1).sum())
    assert parts.arrays["item_age"][data.items[0]] == pytest.approx(np.log1p(9.0))
    assert parts.arrays["item_age"][2] == 0 and parts.arrays["item_recent"][2] == 0
    empty = Parts({})
    add_item_features(empty, interactions([], 1, 2))
    assert not empty.arrays["item_age"].any()


def test_the_checkerboard_has_features_for_all() -> None:
    data, _ = checkerboard()
    assert len(fitted().parts.arrays["item_age"]) == len(data.item_ids)
