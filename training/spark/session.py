"""The Spark session of a run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from training.errors import SettingsError
from training.spark.settings import SparkConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT: Final = Path(__file__).parents[2]  # what workers import models/ and training/ from
DEFAULTS: Final = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    # Rows of histories are long: this many at once keep a worker's batch in megabytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
    "spark.driver.memory": "2g",
    "spark.driver.maxResultSize": "0",  # what comes back is bounded by what is asked for
    "spark.executorEnv.PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",  # a task is given one core
}


@contextmanager
def spark_session(config: SparkConfig) -> Iterator[SparkSession]:
    """A running session is used and left as it is. SettingsError: Spark cannot be started."""
    _check()
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    session = running or _started(config)
    try:
        yield session
    finally:
        if running is None:
            session.stop()


def _started(config: SparkConfig) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("recmesh training")
    for name, value in {**DEFAULTS, **config.options}.items():
        builder = builder.config(name, value)
    if config.master:
        builder = builder.master(config.master)
    try:
        session = builder.getOrCreate()
        partitions = config.partitions or 2 * session.sparkContext.defaultParallelism
        session.conf.set("spark.sql.shuffle.partitions", str(partitions))
        return session
    except (PySparkException, OSError) as error:
        raise SettingsError(f"Spark does not start: {error}; see [spark] master and options in --config") from error


def _check() -> None:
    missing = missing_part()
    if missing:
        raise SettingsError(f"the engine spark needs {missing}; or use --engine local")


def missing_part() -> str:
    """What to install, or nothing."""
    try:
        for name in ("pyspark", "pandas"):  # the latter is what Spark's Arrow functions ask for
            import_module(name)
    except ImportError as error:
        return f'the extra "spark" ({error.name} is not installed): pip install "recmesh[spark]"'
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and Path(home, "bin", "java").exists())):
        return "Java 17 or newer (no java on PATH, no JAVA_HOME)"
    return ""
