"""Cleans events on Spark step by step as `training.preprocessing` does, to the same counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from models.data import ItemInfo
from models.events import BEST_RATING, DEFAULT_EVENT_WEIGHTS, NEUTRAL_RATING, STARRED
from training.datasets.model import Dataset
from training.errors import DatasetError
from training.preprocessing import UNITS, PreprocessingConfig, clean_item
from training.report import CleaningReport, missing
from training.spark.histories import Histories
from training.spark.source import Source

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# A change of mind replaces, a weaker echo does not: `models.events.combine`, over a pair's events in order.
_COMBINED: Final = (
    "aggregate(events, cast(0 as float), (before, event) -> "
    "if(before * event.weight > 0 and abs(before) > abs(event.weight), before, event.weight))"
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What models are fitted on; `items` stand in the order of `histories.item_ids`."""

    histories: Histories
    items: Sequence[ItemInfo]
    event_weights: Mapping[str, float]
    report: CleaningReport


def clean(source: Source, config: PreprocessingConfig) -> Cleaned:
    """One shuffle by user; then counts, the catalogue and the histories of what is left."""
    from pyspark.sql import functions as F  # noqa: N812

    dataset = source.described
    weights = {**DEFAULT_EVENT_WEIGHTS, **dataset.event_weights}
    events = _marked(source.events, weights).cache()
    current = events.where("not repeat and not replaced")
    kept = _with_minimum_counts(current, config)
    counts = _counts(events, kept)
    if not counts["kept"]:
        raise DatasetError(
            f"{dataset.path}: no interaction is left after cleaning; lower min_user_events and min_item_events"
        )
    named = _in_order(events.groupBy("item").agg(F.min("place").alias("place")))
    taken = {row["item"] for row in kept.select("item").distinct().collect()}
    texts: Counter[str] = Counter()
    infos = [clean_item(item, texts) for item in _catalogue(dataset, named, taken, config)]
    infos.sort(key=lambda item: item.id)
    ids = [item.id for item in infos]
    rows = _histories(kept, ids, timed=bool(counts["timed"])).cache()
    summed = rows.agg(F.count("*").alias("users"), F.sum(F.size("items")).alias("events")).collect()[0]
    report = _report(dataset, infos, named, taken, texts, counts, summed["users"])
    return Cleaned(Histories(rows, ids, summed["users"], summed["events"]), infos, weights, report)


def _marked(events: DataFrame, weights: Mapping[str, float]) -> DataFrame:
    """With seconds, weights, and which rows repeat another or were replaced by a later rating."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    time: Column = F.col("time")
    units = {}
    for above, divisor, name in UNITS:
        units[name] = F.coalesce(time > above, F.lit(False))
        time = F.when(time > above, time / divisor).otherwise(time)
    rows = events.repartition("user").withColumns({**units, "time": time, "weight": _weight(weights)})
    alike = ("user", "item", "kind", F.coalesce("value", F.lit(float("inf"))), "time")
    nth = F.row_number().over(Window.partitionBy(*alike).orderBy("place"))
    first = F.min("place").over(Window.partitionBy("user"))
    rows = rows.withColumns({"repeat": F.col("time").isNotNull() & (nth > 1), "first": first})
    rated = (F.col("kind") == "rating") & ~F.col("repeat")
    latest = Window.partitionBy("user", "item", rated).orderBy(F.desc(_known("time")), F.desc("place"))
    return rows.withColumn("replaced", rated & (F.row_number().over(latest) > 1))


def _known(time: str) -> Column:
    """An unknown time counts as the oldest."""
    from pyspark.sql import functions as F  # noqa: N812

    return F.coalesce(time, F.lit(0.0))


def _weight(weights: Mapping[str, float]) -> Column:
    """`models.events.event_weight` without opinions."""
    from pyspark.sql import functions as F  # noqa: N812

    table = F.create_map(*(F.lit(each) for pair in weights.items() for each in pair))
    of_kind = F.coalesce(F.try_element_at(table, F.col("kind")), F.lit(weights["view"]))
    share = (F.col("value") - NEUTRAL_RATING) / (BEST_RATING - NEUTRAL_RATING)
    stars = F.least(F.greatest(share, F.lit(-1.0)), F.lit(1.0))
    starred = F.col("kind").isin(*STARRED) & F.col("value").isNotNull()
    return F.when(starred, of_kind * stars).otherwise(of_kind).cast("float")


def _with_minimum_counts(rows: DataFrame, config: PreprocessingConfig) -> DataFrame:
    """Users and items with fewer events are taken out, until all that remain have enough."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    if max(config.min_user_events, config.min_item_events) < 2:
        return rows  # whoever is there has one
    before = rows.count()
    while True:
        of = {name: F.count("*").over(Window.partitionBy(name)) for name in ("user", "item")}
        counted = rows.withColumns({"of user": of["user"], "of item": of["item"]})
        chosen = counted.where(
            (F.col("of user") >= config.min_user_events) & (F.col("of item") >= config.min_item_events)
        )
        rows = chosen.drop("of user", "of item").localCheckpoint()  # else every turn runs all before it again
        after = rows.count()
        if after == before:
            return rows.repartition("user").cache()
        before = after


def _counts(events: DataFrame, kept: DataFrame) -> dict[str, int]:
    from pyspark.sql import functions as F  # noqa: N812

    def number(of: Column | str) -> Column:
        return F.count_if(F.expr(of) if isinstance(of, str) else of)

    whole = events.agg(
        F.count("*").alias("events"),
        number("first = place").alias("users"),
        number("repeat").alias("duplicates"),
        number("replaced").alias("replaced_ratings"),
        number("time is null").alias("without_time"),
        number("text").alias("reviews"),
        number(F.col("text") & F.col("kind").isin(*STARRED) & F.col("value").isNull()).alias("unread"),
        *(number(F.col(name)).alias(name) for _, _, name in UNITS),
    ).collect()[0]
    left = kept.agg(
        F.count("*").alias("kept"),
        number("time is not null").alias("timed"),
        number("weight > 0").alias("liked"),
        number("weight = 0").alias("neutral"),
        number("weight < 0").alias("disliked"),
    ).collect()[0]
    return {**whole.asDict(), **left.asDict()}


def _in_order(items: DataFrame) -> list[str]:
    """As many as the catalogue has, so the driver can hold them."""
    found = items.collect()
    return [row["item"] for row in sorted(found, key=lambda row: row["place"])]


def _catalogue(dataset: Dataset, named: Sequence[str], taken: set[str], config: PreprocessingConfig) -> list[ItemInfo]:
    """The items of `preprocessing`: those that are described, and those that only events name."""
    if config.min_item_events > 0:
        return [
            dataset.items.get(id_, ItemInfo(id_)) for id_ in dict.fromkeys((*dataset.items, *named)) if id_ in taken
        ]
    return [*dataset.items.values(), *(ItemInfo(id_) for id_ in named if id_ in taken and id_ not in dataset.items)]


def _histories(kept: DataFrame, ids: Sequence[str], timed: bool) -> DataFrame:
    """A row a user; of a user's events with one item one entry, in the place of the last."""
    import pyarrow as pa
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    place = F.row_number().over(Window.partitionBy("user").orderBy("place")) - 1
    numbered = kept.withColumn("time", _known("time") if timed else place.cast("double"))
    numbers = pa.table({"item": pa.array(ids, pa.string()), "number": pa.array(range(len(ids)), pa.int32())})
    table = kept.sparkSession.createDataFrame(numbers)
    numbered = numbered.join(F.broadcast(table), "item")
    pairs = numbered.groupBy("user", "first", "number").agg(
        F.sort_array(F.collect_list(F.struct("time", "place", "weight"))).alias("events")
    )
    last = F.element_at("events", -1)
    when = (last["time"].alias("time"), last["place"].alias("place"))
    entry = F.struct(*when, "number", F.expr(_COMBINED).alias("weight"))
    users = pairs.groupBy("user", "first").agg(F.sort_array(F.collect_list(entry)).alias("entries"))
    columns = {"items": "number", "weights": "weight", "times": "time"}
    return users.select("user", "first", *(F.col(f"entries.{theirs}").alias(ours) for ours, theirs in columns.items()))


def _report(
    dataset: Dataset,
    items: Sequence[ItemInfo],
    named: Sequence[str],
    taken: set[str],
    texts: Mapping[str, int],
    counts: Mapping[str, Any],
    users: int,
) -> CleaningReport:
    current = counts["events"] - counts["duplicates"] - counts["replaced_ratings"]
    return CleaningReport(
        layout=dataset.layout,
        rows=dataset.rows,
        rejected=dataset.rejected,
        not_read=dataset.not_read,
        notes=dataset.notes,
        interactions=(counts["events"], counts["kept"]),
        users=(counts["users"], users),
        items=(len(dataset.items.keys() | set(named)), len(items)),
        duplicates=counts["duplicates"],
        replaced_ratings=counts["replaced_ratings"],
        left_out=current - counts["kept"],
        without_time=counts["without_time"],
        units={name: counts[name] for _, _, name in UNITS if counts[name]},
        reviews=counts["reviews"],
        judged=0,
        unread=counts["unread"],
        normalised={name: count for name, count in texts.items() if count},
        weights={name: counts[name] for name in ("liked", "neutral", "disliked")},
        missing=missing(len(taken), items),
        event_weights=dataset.event_weights,
    )
