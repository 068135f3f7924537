"""What is counted of every item: how often it was taken, how much, how lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models import features, ials, popularity, trending
from models.data import Float64, Interactions
from models.ials import IalsConfig
from models.popularity import PopularityConfig
from models.sparse import Int64, matrix_of
from models.trending import TrendingConfig
from models.writer import Parts
from training.spark.histories import Histories
from training.spark.sums import sum_vectors

# Up to so many events the quantiles of their times are exact; beyond, one of a million steps is all there is to see.
EXACT_EVENTS: Final = 10_000_000
_STEPS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """Of all events of a part."""

    first: float  # the quantile trending.FIRST
    late: float  # from here on events are among the latest
    last: float

    @classmethod
    def of(cls, histories: Histories) -> Times:
        from pyspark.sql import functions as F  # noqa: N812

        times = histories.rows.select(F.explode("times").alias("time"))
        wanted = F.array(F.lit(trending.FIRST), F.lit(1 - features.LATELY))
        exact = histories.events <= EXACT_EVENTS
        found = F.percentile("time", wanted) if exact else F.percentile_approx("time", wanted, _STEPS)
        row = times.agg(found.alias("quantiles"), F.max("time").alias("last")).first()
        if row is None or row["last"] is None:
            return cls(0.0, 0.0, 0.0)
        first, late = row["quantiles"]
        return cls(float(first), float(late), float(row["last"]))


@dataclass(frozen=True, slots=True)
class Counts:
    """Arrays with a place for each item."""

    times: Times
    taken: Int64  # how many users have it
    wished: Int64  # how many of them like it
    late: Int64  # how many took it among the latest events of all
    totals: Float64  # the sum of weights above zero
    squares: Float64  # of all weights
    first: Float64  # when it was taken first
    popular: Float64  # weights above zero, aged as popularity says
    trending: Float64

    @classmethod
    def of(cls, histories: Histories, popular: PopularityConfig, trend: TrendingConfig) -> Counts:
        times = Times.of(histories)
        lives = (popular.half_life_days * popularity.DAY, trending.half_life_of(times.first, times.last, trend))

        def count(chunk: Interactions) -> Float64:
            return _count(chunk, times, lives)

        found = sum_vectors(histories, count)
        taken, wished, late = found[:3].astype(np.int64)
        totals, squares, aged, trends = found[3:]
        return cls(times, taken, wished, late, totals, squares, _first_times(histories, times.last), aged, trends)

    def add_to(self, parts: Parts) -> None:
        """Popularity, trending and what the ranker asks of items."""
        parts.arrays["popularity"] = np.log1p(self.popular).astype(np.float32)
        told = self.times.last >= trending.EARLIEST
        parts.arrays["trending"] = np.log1p(self.trending if told else self.trending * 0).astype(np.float32)
        features.add_counted(parts, self.taken, self.late, self.first, self.times.last)


def _count(chunk: Interactions, times: Times, half_lives: tuple[float, float]) -> Float64:
    liked = np.maximum(chunk.weights, 0).astype(np.float64)
    ages = times.last - chunk.timestamps
    aged = [liked * 0.5 ** (ages / life) if life else liked for life in half_lives]
    weights = chunk.weights.astype(np.float64)
    columns = (None, chunk.weights > 0, chunk.timestamps > times.late, liked, weights * weights, *aged)
    width = len(chunk.item_ids)
    return np.stack([np.bincount(chunk.items, each, minlength=width).astype(np.float64) for each in columns])


def _first_times(histories: Histories, last: float) -> Float64:
    from pyspark.sql import functions as F  # noqa: N812

    events = histories.rows.select(F.explode(F.arrays_zip("items", "times")).alias("event"))
    found = events.groupBy("event.items").agg(F.min("event.times").alias("time")).toArrow()
    first = np.full(histories.width, last)
    first[np.asarray(found["items"], np.int64)] = np.asarray(found["time"], np.float64)
    return first


def settled(config: IalsConfig, histories: Histories, taken: Int64) -> IalsConfig:
    """As `ials.settled`."""
    if config.regularization is not None:
        return config
    users = histories.users

    def squares(chunk: Interactions) -> Float64:
        return np.array([ials.strengths_squared(matrix_of(chunk), taken, users, config)])

    return ials.settled_by(config, float(np.sqrt(sum_vectors(histories, squares)[0])))
