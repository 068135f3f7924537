"""Fits a bundle on Spark. The seam is `training.fit.fit_with`: it is given what learns the parts.

What is chosen on a held-out slice is chosen on a sample of users by the local engine's own lines; the models that are
asked there were fitted on everybody's events before the slice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.lib.format import open_memmap

from models import content
from models.data import Interactions, ItemInfo
from models.histories import add_histories
from models.ranker import no_ranker
from models.sparse import Rows
from models.writer import Parts
from training.console import Console
from training.datasets.rejects import Rejects
from training.fit import WORK, fit_with, write_bundle
from training.parts import FitConfig, Texts
from training.progress import Progress
from training.settings import TrainingSettings
from training.spark.cleaning import Cleaned, clean
from training.spark.counts import Counts, settled
from training.spark.factors import SparkIals
from training.spark.histories import Histories
from training.spark.neighbours import fit_ease, fit_itemknn, fit_rp3beta, fit_transitions
from training.spark.session import spark_session
from training.spark.source import read_source
from training.stages import Stages, WorkFolder, run_key
from training.validation import LABELS, held_out

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def fit_on_spark(
    dataset: Path, name: str, out: Path, settings: TrainingSettings, rejects: Rejects, console: Console, now: float
) -> Path:
    """Writes `out/name/version` and returns it. Raises DatasetError and SettingsError."""
    with spark_session(settings.spark) as session, _scratch(out) as scratch:
        cleaned, fingerprint = _prepare(session, dataset, settings, rejects, console)
        config = settings.fit
        sample = cleaned.histories.sample(settings.spark.sample_events, config.seed)
        key = run_key(sample, cleaned.items, {**asdict(config), "engine": "spark", "data": fingerprint})
        work = WorkFolder.of(
            out / name / WORK, key, now, lambda stage: console.complain(f"{stage}: done by an earlier run")
        )
        engine = Engine(cleaned.histories, Path(scratch))
        fitted = fit_with(engine.fit_parts, sample, cleaned.items, config, console, work)
        report = cleaned.report.as_json()
        path = write_bundle(fitted, name, out, console, now, fingerprint, report, cleaned.event_weights, None)
        work.remove()
        return path


@contextmanager
def _scratch(out: Path) -> Iterator[str]:
    """A folder beside the bundle, where there is room for it."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".spark-", dir=out) as folder:
        yield folder


def _prepare(
    session: SparkSession, dataset: Path, settings: TrainingSettings, rejects: Rejects, console: Console
) -> tuple[Cleaned, str]:
    with rejects:
        source = read_source(session, dataset, rejects, console)
    if len(rejects):
        console.say(f"the rejected rows are in {rejects.path}")
    with console.stage("clean", 1) as stage:
        cleaned = clean(source, settings.preprocessing)
        stage.advance()
    for line in cleaned.report.lines():
        console.say(line)
    return cleaned, source.described.fingerprint


class Engine:
    """Learns what `training.parts.fit_parts` learns, from histories in a cluster."""

    def __init__(self, histories: Histories, scratch: Path) -> None:
        self._cuts = [histories]
        self._scratch = scratch  # for arrays of every event on their way into the bundle

    def fit_parts(
        self,
        data: Interactions,
        items: Sequence[ItemInfo],
        texts: Texts,
        config: FitConfig,
        progress: Progress,
        stages: Stages,
        label: str,
    ) -> Parts:
        """`data`: of the users that are asked for; `label` says which cut is learnt from."""
        histories = self._cut(LABELS.index(label), config)
        counts = Counts.of(histories, config.popularity, config.trending)
        config = replace(config, ials=settled(config.ials, histories, counts.taken))
        parts = Parts(asdict(config))
        parts.include(texts.parts)
        fit = _Fit(histories, counts, config, progress, label)
        parts.include(stages.kept(f"factors{label}", lambda: fit.factors(texts)))
        for name, make in fit.others().items():
            parts.include(stages.kept(f"{name}{label}", make))
        counts.add_to(parts)
        no_ranker(parts)
        if label:
            parts.tables["users"] = pa.table({"id": pa.array(list(data.user_ids), pa.string())})
            add_histories(parts, data)
        else:
            with progress.stage("histories", histories.users) as stage:
                add_all_histories(parts, histories, self._scratch, stage.advance)
        return parts

    def _cut(self, cuts: int, config: FitConfig) -> Histories:
        for latest in held_out(config)[len(self._cuts) - 1 : cuts]:
            self._cuts.append(self._cuts[-1].without(latest))
        return self._cuts[cuts]


@dataclass(frozen=True, slots=True)
class _Fit:
    """One fit of every model."""

    histories: Histories
    counts: Counts
    config: FitConfig
    progress: Progress
    label: str

    def factors(self, texts: Texts) -> Parts:
        """As `training.parts.fit_factors`."""
        config, progress, label = self.config, self.progress, self.label
        ials = SparkIals(self.histories, config.ials)
        with progress.stage(f"iALS{label}", config.ials.steps) as stage:
            items = ials.fit(np.random.default_rng(config.seed), stage.advance)
        counts = self.counts.taken.astype(np.float32)
        with progress.stage(f"texts to factors{label}", config.content.steps) as stage:
            mapping = content.fit_factor_map(texts.vectors, items, counts, config.content, stage.advance)
        with progress.stage(f"item factors{label}", 1) as stage:
            found = ials.finish(counts > 0, np.asarray(texts.vectors @ mapping, np.float32))
            stage.advance()
        parts = Parts({})
        parts.arrays["item_factors"] = found.items
        parts.arrays["item_learned"] = counts > 0
        parts.arrays["ials_gram"] = found.gram
        parts.arrays["ials_mean_user"] = found.mean_user
        parts.arrays["piece_factors"] = mapping
        return parts

    def others(self) -> dict[str, Callable[[], Parts]]:
        """The other models by the names of their stages."""
        histories, counts, config = self.histories, self.counts, self.config
        return {
            "item-kNN": lambda: self._rows("itemknn", lambda: fit_itemknn(histories, counts.squares, config.itemknn)),
            "RP3beta": lambda: self._rows("rp3beta", lambda: fit_rp3beta(histories, counts.totals, config.rp3beta)),
            "transitions": lambda: self._rows(
                "transitions", lambda: fit_transitions(histories, counts.taken, config.transitions)
            ),
            "EASE": self._ease,
        }

    def _rows(self, name: str, fit: Callable[[], Rows]) -> Parts:
        parts = Parts({})
        with self.progress.stage(f"{name}{self.label}", 1) as stage:
            fit().add_to(parts, name)
            stage.advance()
        return parts

    def _ease(self) -> Parts:
        parts = Parts({})
        with self.progress.stage(f"EASE{self.label}", 1) as stage:
            rng = np.random.default_rng(self.config.seed)
            fit_ease(self.histories, self.counts.wished, self.config.ease, rng).add_to(parts)
            stage.advance()
        return parts


def add_all_histories(parts: Parts, histories: Histories, scratch: Path, done: Callable[[int], None]) -> None:
    """As `models.histories.add_histories`, written to files as it arrives: the driver never holds all of it."""
    kinds = {"items": np.int32, "weights": np.float32, "timestamps": np.float64}
    whole = {
        name: open_memmap(scratch / f"{name}.npy", "w+", kind, (histories.events,)) for name, kind in kinds.items()
    }
    users: list[str] = []
    sizes = [np.zeros(1, np.int64)]
    place = 0
    for ids, counts, columns in histories.streamed():
        ends = np.cumsum(counts)
        newest_first = np.repeat(2 * ends - counts - 1, counts) - np.arange(int(counts.sum()))
        for array, column in zip(whole.values(), columns, strict=True):
            array[place : place + len(column)] = column[newest_first]
        place += len(newest_first)
        users += ids
        sizes.append(counts)
        done(len(ids))
    parts.arrays["history_starts"] = np.cumsum(np.concatenate(sizes))
    for name, array in whole.items():
        parts.arrays[f"history_{name}"] = array
    parts.tables["users"] = pa.table({"id": pa.array(users, pa.string())})
