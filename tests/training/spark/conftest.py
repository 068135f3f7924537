"""One Spark session for all tests, on two cores of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from training.spark.session import missing_part, spark_session
from training.spark.settings import SparkConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATA = Path(__file__).parents[3] / "examples" / "data" / "ml-latest-small"

# What is compiled here runs once or twice.
LITTLE_DATA = {"spark.sql.codegen.wholeStage": "false", "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}


@pytest.fixture(scope="session")
def session() -> Iterator[SparkSession]:
    if missing := missing_part():
        pytest.skip(f"Spark needs {missing}")
    with spark_session(SparkConfig(master="local[2]", partitions=2, options=LITTLE_DATA)) as session:
        yield session
