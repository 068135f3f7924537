"""Settings of the Spark engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SparkConfig:
    """Where Spark runs and how much of the data comes to the driver."""

    master: str = ""  # empty: what spark-submit or Spark's own settings say, else all cores of this machine
    options: Mapping[str, str] = field(default_factory=dict)  # Spark's own settings by their names
    partitions: int = 0  # of what is shuffled; 0: two a core
    # Users that settings, weights and the ranker are chosen on; a data set with no more events is taken whole.
    sample_events: int = 5_000_000  # 24 bytes each on the driver, in three cuts

    def __post_init__(self) -> None:
        if self.partitions < 0 or self.sample_events < 1:
            raise ValueError("partitions is 0 or more, sample_events is 1 or more")
