"""On the ratings that ship: the same counts exactly, and the same models but for the order of sums."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models import ease, ials, itemknn, rp3beta, transitions, trending
from models.data import Float32, Interactions
from models.features import add_item_features
from models.ials import IalsConfig, Solver
from models.popularity import PopularityConfig
from models.popularity import fit as fit_popularity
from models.sparse import Matrix, Rows, matrix_of
from models.trending import TrendingConfig
from models.writer import Parts
from tests.training.spark.conftest import DATA
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.fit import tidy
from training.preprocessing import Prepared, PreprocessingConfig, prepare
from training.progress import SilentProgress
from training.spark.cleaning import Cleaned, clean
from training.spark.counts import Counts, settled
from training.spark.factors import SparkIals
from training.spark.histories import Histories
from training.spark.neighbours import fit_ease, fit_itemknn, fit_rp3beta, fit_transitions
from training.spark.source import read_source
from training.splits import Latest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.timeout(300)  # the first test of all starts a JVM and its workers

CONFIG = PreprocessingConfig(min_user_events=25, min_item_events=15)


def _silent(done: int) -> None:
    pass


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ratings as Spark can read them itself, with repeats and rows that cannot be used."""
    path = tmp_path_factory.mktemp("data") / "ratings"
    path.mkdir()
    ratings = lzma.decompress((DATA / "ratings.csv.xz").read_bytes()).decode().splitlines()
    bad = ["1,1,five,964982703", "1,1", ",31,4.0,964982704", "1,31,4.0,yesterday", "1,31,9.0,964982704"]
    odd = [*ratings[1:40], "1,1,2.5,1064982703", "2,318,4.5,1445714835000", '"3","31",0.5,']
    (path / "ratings.csv").write_text("\n".join([*ratings[:200], *bad, *ratings[200:], *odd]) + "\n")
    (path / "movies.csv").write_bytes(lzma.decompress((DATA / "movies.csv.xz").read_bytes()))
    return path


@pytest.fixture(scope="module")
def local(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    with Rejects(tmp_path_factory.mktemp("local") / "rejects.jsonl") as rejects:
        return prepare(read_dataset(dataset, rejects, SilentProgress()), CONFIG)


@pytest.fixture(scope="module")
def cleaned(session: SparkSession, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Cleaned:
    with Rejects(tmp_path_factory.mktemp("spark") / "rejects.jsonl") as rejects:
        return clean(read_source(session, dataset, rejects, SilentProgress()), CONFIG)


@pytest.fixture(scope="module")
def data(local: Prepared) -> Interactions:
    return tidy(local.interactions, local.items)[0]


@pytest.fixture(scope="module")
def counts(cleaned: Cleaned) -> Counts:
    return Counts.of(cleaned.histories, PopularityConfig(), TrendingConfig())


def test_the_report_is_the_same(local: Prepared, cleaned: Cleaned) -> None:
    theirs, ours = cleaned.report.as_json(), local.report.as_json()
    assert sum(ours["rejected"]["ratings.csv"].values()) == 5 and ours["duplicates"] > 30 and ours["left_out"] > 10_000
    assert theirs == ours


def test_the_interactions_are_the_same(data: Interactions, cleaned: Cleaned) -> None:
    found = cleaned.histories.sample(10**9, 0)
    assert_same(found, data)
    assert cleaned.histories.events == len(data) and cleaned.histories.users == len(data.user_ids)


def assert_same(found: Interactions, expected: Interactions) -> None:
    assert list(found.user_ids) == list(expected.user_ids) and list(found.item_ids) == list(expected.item_ids)
    for name in ("users", "items", "weights", "timestamps"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("latest", [Latest(0.2), Latest(events=3), Latest(events=100)])
def test_a_slice_of_time_is_cut_alike(data: Interactions, cleaned: Cleaned, latest: Latest) -> None:
    cut = cleaned.histories.without(latest)
    expected = latest.held_out_of(data).train
    assert_same(cut.sample(10**9, 0), expected)
    assert cut.events == len(expected)


def test_popularity_and_what_the_ranker_asks_are_the_same(data: Interactions, counts: Counts) -> None:
    ours, theirs = Parts({}), Parts({})
    ours.arrays["popularity"] = fit_popularity(data, PopularityConfig())
    add_item_features(ours, data)
    counts.add_to(theirs)
    for name, array in ours.arrays.items():
        np.testing.assert_array_equal(theirs.arrays[name], array)
    np.testing.assert_allclose(theirs.arrays["trending"], trending.fit(data, TrendingConfig()), rtol=1e-5)


def test_neighbours_are_the_same(data: Interactions, cleaned: Cleaned, counts: Counts) -> None:
    histories, taken = cleaned.histories, matrix_of(data)
    knn, walks, steps = itemknn.ItemKnnConfig(), rp3beta.Rp3BetaConfig(), transitions.TransitionsConfig()
    assert_same_rows(fit_itemknn(histories, counts.squares, knn), itemknn.fit(taken, knn, _silent))
    assert_same_rows(fit_rp3beta(histories, counts.totals, walks), rp3beta.fit(taken, walks, _silent))
    assert_same_rows(fit_transitions(histories, counts.taken, steps), transitions.fit(data, steps, _silent))


def assert_same_rows(found: Rows, expected: Rows) -> None:
    """Neighbours that tie at the end of a row, or whose sum vanishes in one order of adding, may be others."""
    rows, others = (_by_pair(each) for each in (found, expected))
    shared = sorted(rows.keys() & others.keys())
    assert len(shared) > 0.999 * max(len(rows), len(others))
    np.testing.assert_allclose([rows[pair] for pair in shared], [others[pair] for pair in shared], rtol=1e-4, atol=1e-6)
    assert sum(rows.values()) == pytest.approx(sum(others.values()), rel=1e-5)


def _by_pair(rows: Rows) -> dict[tuple[int, int], float]:
    sources = np.repeat(np.arange(len(rows.starts) - 1), np.diff(rows.starts))
    return dict(zip(zip(sources.tolist(), rows.columns.tolist(), strict=True), rows.values.tolist(), strict=True))


def test_ease_is_the_same(data: Interactions, cleaned: Cleaned, counts: Counts) -> None:
    config = ease.EaseConfig(most_items=300, dimension=16)
    found = fit_ease(cleaned.histories, counts.wished, config, np.random.default_rng(0))
    expected = ease.fit(matrix_of(data), config, np.random.default_rng(0))
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_allclose(found.queries @ found.targets.T, expected.queries @ expected.targets.T, atol=1e-3)


def solved_exactly(taken: Matrix, config: IalsConfig, rng: np.random.Generator) -> tuple[Float32, Float32]:
    """As `ials.fit`, which on one machine goes some steps of conjugate gradients instead."""
    deviation = config.deviation / np.sqrt(config.dimension)
    items = rng.normal(0, deviation, (taken.shape[1], config.dimension)).astype(np.float32)
    for _ in range(config.steps):
        users = Solver.on(items, config).rows(taken, _silent)
        items = Solver.on(users, config).rows(taken.T.tocsr(), _silent)
    return users, items


def test_factors_are_those_of_the_local_solver(data: Interactions, cleaned: Cleaned, counts: Counts) -> None:
    taken, config = matrix_of(data), IalsConfig(dimension=16, steps=2)
    config = ials.settled(config, taken)
    assert settled(replace(config, regularization=None), cleaned.histories, counts.taken).regularization == (
        pytest.approx(config.regularization, rel=1e-6)
    )
    expected_at = np.random.default_rng(1).normal(0, 0.1, (len(data.item_ids), 16)).astype(np.float32)
    users, items = solved_exactly(taken, config, np.random.default_rng(0))
    expected = ials.finish(taken, users, expected_at, config)
    fit = SparkIals(cleaned.histories, config)
    np.testing.assert_allclose(fit.fit(np.random.default_rng(0), _silent), items, atol=1e-3)
    found = fit.finish(counts.taken > 0, expected_at)
    np.testing.assert_allclose(found.items, expected.items, atol=1e-3)
    np.testing.assert_allclose(found.gram, expected.gram, atol=1e-2)
    np.testing.assert_allclose(found.mean_user, expected.mean_user, atol=1e-3)


def test_a_sample_of_users_keeps_their_whole_histories(data: Interactions, cleaned: Cleaned) -> None:
    histories: Histories = cleaned.histories
    found = histories.sample(10_000, 3)
    assert 5_000 < len(found) < 20_000
    size = dict(zip(data.user_ids, np.bincount(data.users).tolist(), strict=True))
    assert np.bincount(found.users).tolist() == [size[user] for user in found.user_ids]
