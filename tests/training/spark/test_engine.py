"""`fit --engine spark` writes the bundle that `fit` writes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.bundle import Bundle, find_bundle
from models.data import Float32
from models.histories import Histories
from models.pipeline import LocalRecommender
from tests.training.planted import write_planted
from training.commands import main
from training.datasets.reader import find_tables
from training.errors import DatasetError
from training.spark import histories
from training.spark.source import located, readable
from training.splits import Latest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.timeout(300)  # the first test of all starts a JVM and its workers

# The strength is given: where two are about as good, each engine may choose another.
FEW_STEPS = """
[fit.ials]
dimension = 8
steps = 2
unobserved_weight = 0.1
regularization_share = 0.015
[fit.tokenizer]
vocabulary = 100
[fit.ranker]
least_questions = 20
steps = 2
trees = 5
"""
EXACT = ("history_starts", "history_items", "history_weights", "history_timestamps", "popularity", "item_learned")
NEAR = ("trending", "item_recent", "item_age")
SOLVED = ("item_factors", "ials_gram", "ials_mean_user", "piece_factors")  # exactly here, nearly on one machine


def fitted(dataset: Path, out: Path, *more: str) -> Bundle:
    settings = out.with_suffix(".toml")
    settings.write_text(FEW_STEPS)
    said, err = io.StringIO(), io.StringIO()
    code = main(["fit", str(dataset), "--out", str(out), "--config", str(settings), *more], said, err)
    assert code == 0, err.getvalue()
    return Bundle.open(find_bundle(out))


def likeness(one: Float32, other: Float32) -> float:
    """The cosine of all their elements; the same size is part of it."""
    return float(2 * np.vdot(one, other) / (np.vdot(one, one) + np.vdot(other, other)))


def test_the_bundle_is_that_of_the_local_engine(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out: list[Latest] = []
    without = histories.Histories.without

    def remembered(self: histories.Histories, latest: Latest) -> histories.Histories:
        held_out.append(latest)
        return without(self, latest)

    monkeypatch.setattr(histories.Histories, "without", remembered)
    dataset = write_planted(tmp_path / "planted")
    ours, theirs = fitted(dataset, tmp_path / "local"), fitted(dataset, tmp_path / "spark", "--engine", "spark")
    assert ours.manifest["files"].keys() == theirs.manifest["files"].keys()
    assert ours.manifest["metrics"]["data"] == theirs.manifest["metrics"]["data"]
    assert held_out == [Latest(0.2), Latest(events=2)], "the slices that the local engine cuts off"
    verdicts = [bundle.manifest["metrics"]["validation"]["ranker"] for bundle in (ours, theirs)]
    assert [each["questions"] for each in verdicts] == [60, 60]
    assert verdicts[0]["ndcg@10"] == pytest.approx(verdicts[1]["ndcg@10"], abs=0.05)
    assert ours.table("users").equals(theirs.table("users")) and ours.table("items").equals(theirs.table("items"))
    for name in EXACT:
        np.testing.assert_array_equal(theirs.array(name), ours.array(name))
    for name in NEAR:
        np.testing.assert_allclose(theirs.array(name), ours.array(name), atol=2e-3)
    for name in SOLVED:
        assert likeness(theirs.array(name), ours.array(name)) > 0.999
    assert not list((tmp_path / "spark" / "planted").glob(".*")), "nothing of the work is left"
    history = Histories(ours).of("u3")
    lists = [LocalRecommender(bundle).recommend(history, 5) for bundle in (ours, theirs)]
    assert {item for item, _ in lists[0]} == {item for item, _ in lists[1]}


def test_a_protocol_is_refused(tmp_path: Path) -> None:
    err = io.StringIO()
    command = ["fit", str(write_planted(tmp_path / "planted", users=4)), "--out", str(tmp_path / "models")]
    assert main([*command, "--engine", "spark", "--protocol", "temporal"], io.StringIO(), err) == 2
    assert "--protocol holds a part out with --engine local alone" in err.getvalue()


def test_what_is_missing_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.spark.session.missing_part", lambda: "Java 17 or newer")
    err = io.StringIO()
    command = ["fit", str(write_planted(tmp_path / "planted", users=4)), "--out", str(tmp_path / "models")]
    assert main([*command, "--engine", "spark"], io.StringIO(), err) == 2
    assert "the engine spark needs Java 17 or newer; or use --engine local" in err.getvalue()


def test_interactions_may_stand_anywhere_spark_can_read(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text('[interactions]\nfile = "s3a://bucket/clicks/*.parquet"\n')
    spec, _, tables = find_tables(tmp_path)
    place = located(tmp_path, tables["interactions"])
    assert place == "s3a://bucket/clicks/*.parquet" and readable(place, spec.interactions)
    (tmp_path / "parts.parquet").mkdir()
    assert located(tmp_path, "parts.parquet") == str(tmp_path / "parts.parquet")
    with pytest.raises(DatasetError, match=r"none\.csv: no such file"):
        located(tmp_path, "none.csv")


@pytest.mark.parametrize(
    ("file", "by_spark"),
    [
        ("a.csv", True),
        ("a.tsv.gz", True),
        ("a.parquet", True),
        ("hdfs://n/a/b.parquet/", True),
        ("a.csv.xz", False),
        ("a.jsonl", False),
        ("sequences.txt.gz", False),
    ],
)
def test_what_spark_has_no_reader_for_the_driver_reads(tmp_path: Path, file: str, by_spark: bool) -> None:
    write_planted(tmp_path / "planted", users=4)
    spec, _, _ = find_tables(tmp_path / "planted")
    assert readable(file, spec.interactions) is by_spark
