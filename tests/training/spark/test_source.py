"""Interactions as Spark reads them: Parquet in parts, and what the driver reads in its place."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.training.planted import write_planted
from training.datasets.rejects import Rejects
from training.preprocessing import PreprocessingConfig
from training.progress import SilentProgress
from training.spark.cleaning import Cleaned, clean
from training.spark.source import read_source

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.timeout(300)  # the first test of all starts a JVM and its workers


def cleaned(session: SparkSession, path: Path) -> Cleaned:
    with Rejects(path.parent / "rejects.jsonl") as rejects:
        return clean(read_source(session, path, rejects, SilentProgress()), PreprocessingConfig())


def test_parquet_in_parts_and_packed_csv_are_the_same_interactions(session: SparkSession, tmp_path: Path) -> None:
    packed, parts = write_planted(tmp_path / "packed", users=8), write_planted(tmp_path / "parts", users=8)
    for path in (packed, parts):
        content = (path / "interactions.csv").read_bytes()
        (path / "interactions.csv").unlink()
        (path / "interactions.csv.xz").write_bytes(lzma.compress(content))
    table = pyarrow.csv.read_csv(pyarrow.py_buffer(content))
    (parts / "interactions.csv.xz").unlink()
    (parts / "clicks.parquet").mkdir()
    pq.write_table(table[:50], parts / "clicks.parquet" / "part-0.parquet")
    pq.write_table(table[50:], parts / "clicks.parquet" / "part-1.parquet")
    (parts / "dataset.toml").write_text('[interactions]\nfile = "clicks.parquet"\n')
    ours, theirs = cleaned(session, packed), cleaned(session, parts)
    assert (ours.histories.users, theirs.report.rows["clicks.parquet"]) == (8, 80)
    assert ours.report.interactions == theirs.report.interactions == (80, 80)
    assert by_user(ours) == by_user(theirs)


def by_user(found: Cleaned) -> dict[str, list[tuple[int, float]]]:
    data = found.histories.sample(1_000, 0)
    told: dict[str, list[tuple[int, float]]] = {user: [] for user in data.user_ids}
    for user, item, weight in zip(data.users.tolist(), data.items.tolist(), data.weights.tolist(), strict=True):
        told[data.user_ids[user]].append((item, weight))
    return told
