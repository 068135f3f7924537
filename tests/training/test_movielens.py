"""The dataset that ships: read whole with its oddities, and the blend above the baselines on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.data import ItemInfo
from models.ials import IalsConfig
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.evaluate import Plan, evaluate
from training.fit import FitConfig
from training.preprocessing import Prepared, PreprocessingConfig, prepare
from training.progress import SilentProgress
from training.splits import temporal, temporal_global
from training.weights import BlendConfig

SHIPPED = Path(__file__).parents[2] / "examples" / "data" / "ml-latest-small"


def prepared(directory: Path, config: PreprocessingConfig) -> Prepared:
    with Rejects(directory / "rejects.jsonl") as rejects:
        return prepare(read_dataset(SHIPPED, rejects, SilentProgress()), config)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("run"), PreprocessingConfig())


def test_every_row_is_read(films: Prepared) -> None:
    report = films.report
    assert report.layout == "movielens"
    assert (len(films.interactions), len(films.interactions.user_ids), len(films.items)) == (100_836, 610, 9_742)
    assert sum(report.rows.values()) == 100_836 + 9_742 + 3_683 + 6_337
    assert report.rejected == {}
    assert report.not_read == ["ATTRIBUTION.md", "README.txt", "links.csv.xz"]


def test_its_oddities_are_counted(films: Prepared) -> None:
    assert films.report.notes == {"titles without a year": 12}
    missing = films.report.missing
    assert (missing["without interactions"], missing["without categories"]) == (18, 34)
    assert missing["without a text"] == 9_742 - 6_337


def test_films_are_described(films: Prepared) -> None:
    by_id: dict[str, ItemInfo] = {item.id: item for item in films.items}
    alien = by_id["1214"]
    assert (alien.title, alien.attributes["year"], alien.categories) == ("Alien", 1979, ("Horror", "Sci-Fi"))
    assert alien.text.startswith("Alien is a 1979 science fiction horror film directed by Ridley Scott")
    assert by_id["2571"].title == "The Matrix"
    assert by_id["29"].title == "The City of Lost Children (La Cité des enfants perdus)"


def test_a_cut_for_each_user_leaves_nearly_all_to_measure_and_one_moment_few(films: Prepared) -> None:
    assert len(temporal(films.interactions).targets) == 606
    assert len(temporal_global(films.interactions).targets) == 28


def test_the_blend_is_above_popularity_and_item_knn(tmp_path: Path) -> None:
    """On the films with 30 ratings or more, and with short factors, for time; the whole is in docs/evaluation.md."""
    popular = prepared(tmp_path, PreprocessingConfig(min_item_events=30))
    config = FitConfig(ials=IalsConfig(dimension=16), blend=BlendConfig(questions=200))
    found = evaluate("films", popular, Plan(), config, SilentProgress())
    ndcg = {one.model: one.value for one in found.results if (one.metric, one.k) == ("ndcg", 10)}
    assert ndcg["blend"] > 1.1 * ndcg["itemknn"]
    assert ndcg["blend"] > 1.5 * ndcg["popularity"]
