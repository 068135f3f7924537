"""The settings of a training run, from TOML: [preprocessing], [sentiment], [fit] and what concerns reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.sentiment import SentimentConfig
from training.configuration import ConfigurationProblem, build, read_toml
from training.datasets.rejects import MAX_REJECTS
from training.errors import SettingsError
from training.fit import FitConfig
from training.preprocessing import PreprocessingConfig
from training.spark.settings import SparkConfig


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything a settings file can say."""

    max_rejects: float = MAX_REJECTS  # the share of a file's rows that may be unusable
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    sentiment: SentimentConfig = field(default_factory=SentimentConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    spark: SparkConfig = field(default_factory=SparkConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejects <= 1:
            raise ValueError("max_rejects is a share from 0 to 1")


def read_settings(path: Path | None) -> TrainingSettings:
    if path is None:
        return TrainingSettings()
    try:
        return build(TrainingSettings, read_toml(path))
    except ConfigurationProblem as problem:
        raise SettingsError(f"{path}: {problem}") from problem
