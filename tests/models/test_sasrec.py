"""The sequence model as it serves: the definition's numbers, what it is asked with, and its place in a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle, BundleError
from models.data import ItemInfo
from models.pipeline import LocalRecommender
from models.sasrec import Network, SequenceConfig
from models.shard import ItemRecord, Query
from models.writer import BundleWriter
from tests.models.networks import SMALL, drawn, scores, state_by_hand, with_network
from tests.models.worlds import fitted, history

ITEMS = 12
ROWS = {str(number): number for number in range(ITEMS)}
ALONE = frozenset({"sequence"})


def served(network: Network) -> LocalRecommender:
    """The checkerboard's bundle with this network; its items stand in order of their ids."""
    return LocalRecommender(with_network(fitted().parts, network))


@pytest.mark.parametrize("rows", [[3], [3, 7], [1, 1, 4, 0, 9, 2]])
def test_a_state_is_what_the_definition_says(rows: Sequence[int]) -> None:
    network = drawn(ITEMS)
    found = network.state(np.array(rows))
    np.testing.assert_allclose(found, state_by_hand(network, rows), rtol=1e-3, atol=1e-4)


def test_the_order_of_a_history_counts() -> None:
    network = drawn(ITEMS)
    one, other = network.embed([history("1", "2", "3"), history("1", "3", "2")], ROWS)
    assert not np.allclose(one, other, atol=0.01)


def test_only_the_latest_entries_are_looked_at() -> None:
    network = drawn(ITEMS)
    long = history(*map(str, range(10)))
    shorter = history(*map(str, range(SMALL.length)))
    np.testing.assert_array_equal(*network.embed([long, shorter], ROWS))


def test_the_newest_entry_comes_last() -> None:
    network = drawn(ITEMS)
    found = network.embed([history("5", "2", "8")], ROWS)[0]
    np.testing.assert_allclose(found, state_by_hand(network, [8, 2, 5]), rtol=1e-3, atol=1e-4)


def test_what_was_disliked_or_is_unknown_is_left_out() -> None:
    network = drawn(ITEMS)
    network.weights["items"][4] = 0  # nobody took it
    mixed = history("1", "2", "nobody's", "3", "4", weights=[1.0, -1.0, 1.0, 0.5, 1.0])
    np.testing.assert_array_equal(*network.embed([mixed, history("1", "3")], ROWS))


def test_a_history_of_nothing_known_is_a_row_of_zeros() -> None:
    network = drawn(ITEMS)
    assert not network.embed([history(), history("nobody's"), history("1", weights=[-1.0])], ROWS).any()


def test_the_source_scores_items_by_the_inner_product() -> None:
    network = drawn(ITEMS)
    recommender = served(network)
    query = recommender.query(history("1", "2"), ITEMS)
    found = recommender.shard.search(query)
    state = network.embed([history("1", "2")], rows_of_bundle())[0]
    expected = scores(network, state)
    rows = [rows_of_bundle()[item] for item in found.item_ids]
    np.testing.assert_array_equal(found.scores["sequence"], expected[rows])


def test_a_new_event_changes_the_answer_at_once() -> None:
    recommender = served(drawn(ITEMS))
    before, after = (recommender.query(each, 3).sequence for each in (history("1", "2"), history("5", "1", "2")))
    assert before is not None and after is not None
    assert not np.allclose(before, after, atol=0.01)


def test_items_nobody_took_have_no_score() -> None:
    network = drawn(ITEMS)
    network.weights["items"][rows_of_bundle()["7"]] = 0
    told = _told(served(network), served(network).query(history("1", "2"), ITEMS))
    assert np.isnan(told.pop("7")) and not np.isnan(list(told.values())).any()


def test_a_put_item_keeps_its_place_and_a_new_one_has_none() -> None:
    recommender = served(drawn(ITEMS))
    query = recommender.query(history("1", "2"), ITEMS)
    before = _told(recommender, query)
    known = recommender.shard.get(["9"])[0]
    recommender.shard.put([known, ItemRecord(ItemInfo("new", "The Knight"), known.factors, known.content)])
    after = _told(recommender, query)
    assert np.isnan(after.pop("new"))
    assert after == before


def test_a_bundle_without_a_network_has_no_such_source() -> None:
    plain = fitted().recommender
    query = plain.query(history("1", "2"), ITEMS)
    assert "sequence" not in plain.shard.search(query).scores
    assert plain.encoder.sequence_dimension == 0
    asked = Query(sequence=np.ones(8, np.float32), sources=ALONE)
    with pytest.raises(ValueError, match="a query vector has 8 numbers"):
        plain.shard.search(asked)


def test_it_survives_the_bundle(tmp_path: Path) -> None:
    network = drawn(ITEMS)
    parts = with_network(fitted().parts, network)
    with BundleWriter("films", tmp_path) as writer:
        writer.add(parts)
        path = writer.finish(parts.config, {}, "", 0.0)
    found = Network.of(Bundle.open(path))
    assert found is not None
    np.testing.assert_array_equal(found.state(np.array([1, 2])), network.state(np.array([1, 2])))


def test_settings_of_another_version_are_refused() -> None:
    parts = with_network(fitted().parts, drawn(ITEMS))
    parts.config = {**parts.config, "sequence": {"enabled": True, "depth": 3}}
    with pytest.raises(BundleError, match="settings of sequence"):
        Network.of(parts)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dimension": 10, "heads": 3}, "dimension is a multiple of heads"),
        ({"negatives": 0}, "negatives"),
        ({"dropout": 1.0}, "dropout"),
        ({"minutes": 0.0}, "minutes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceConfig(**wrong)  # type: ignore[arg-type]


def rows_of_bundle() -> dict[str, int]:
    ids = fitted().parts.table("items")["id"].to_pylist()
    return {item: row for row, item in enumerate(ids)}


def _told(recommender: LocalRecommender, query: Query) -> dict[str, float]:
    found = recommender.shard.search(query)
    return dict(zip(found.item_ids, found.scores["sequence"].tolist(), strict=True))
