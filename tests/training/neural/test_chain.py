"""Which networks a fit learns, from what, and in which order."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.data import Interactions
from models.sasrec import Network, SequenceConfig
from tests.models.networks import SMALL, drawn
from tests.models.worlds import SMALL as PLAIN
from tests.models.worlds import checkerboard, fitted, history
from training import fit
from training.errors import SettingsError
from training.fit import fit_models
from training.neural.chain import Networks, goes_on, torch_needed
from training.parts import FitConfig
from training.progress import SilentProgress
from training.ranker import RankerConfig
from training.stages import EachAnew, Stages, WorkFolder
from training.validation import LABELS

CONFIG = replace(PLAIN, sequence=SMALL)


class Learnt:
    """Draws a network each time, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.begun_from: list[Network | None] = []

    def __call__(
        self,
        data: Interactions,
        config: SequenceConfig,
        seed: int,
        begin: Network | None,
        done: Callable[[int], None],
        clock: Callable[[], float],
    ) -> Network:
        self.events.append(len(data))
        self.begun_from.append(begin)
        return drawn(len(data.item_ids), len(self.events))


def with_drawn_networks(monkeypatch: pytest.MonkeyPatch, learnt: Learnt) -> None:
    """Fits then take `learnt`'s networks and do without torch."""
    monkeypatch.setattr(fit, "fit_on_torch", learnt)
    monkeypatch.setattr(fit, "torch_needed", lambda config: None)


def networks(learnt: Learnt, stages: Stages, config: FitConfig = CONFIG) -> Networks:
    return Networks(checkerboard()[0], config, SilentProgress(), stages, learnt)


def test_each_network_goes_on_from_that_of_fewer_events() -> None:
    learnt = Learnt()
    chain = networks(learnt, EachAnew())
    parts = [chain.parts(label) for label in (LABELS[1], LABELS[2], LABELS[0])]
    assert learnt.events == sorted(learnt.events) and len(set(learnt.events)) == 3
    assert learnt.begun_from[0] is None
    for begun_from, earlier in zip(learnt.begun_from[1:], (parts[1], parts[0]), strict=True):
        assert begun_from is not None
        np.testing.assert_array_equal(begun_from.items, earlier.array("sequence_items"))


def test_networks_know_no_event_that_the_ranker_learns_from() -> None:
    learnt = Learnt()
    networks(learnt, EachAnew(), replace(CONFIG, ranker=RankerConfig(steps=3))).parts(LABELS[0])
    assert learnt.events == [24, 96, 120], "of four events of each user before the latest one is left"


def test_those_that_go_on_are_trained_for_less_long() -> None:
    found = goes_on(SequenceConfig(epochs=40, minutes=20.0))
    assert (found.epochs, found.minutes) == (10, 5.0)
    assert goes_on(SequenceConfig(epochs=1)).epochs == 1


def test_a_run_that_was_stopped_keeps_its_networks(tmp_path: Path) -> None:
    first, second = Learnt(), Learnt()
    work = WorkFolder.of(tmp_path, "key", 0.0, lambda stage: None)
    networks(first, work).parts(LABELS[1])
    found = networks(second, work).parts(LABELS[0])
    assert len(first.events) == 2 and len(second.events) == 1
    assert second.begun_from[0] is not None
    np.testing.assert_array_equal(second.begun_from[0].items, drawn(12, 2).items)
    np.testing.assert_array_equal(found.array("sequence_items"), drawn(12, 1).items)


def test_nothing_is_learnt_unless_it_is_asked_for() -> None:
    learnt = Learnt()
    assert not networks(learnt, EachAnew(), PLAIN).parts(LABELS[0]).arrays
    assert not learnt.events


def test_a_fit_takes_the_networks_in(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = Learnt()
    with_drawn_networks(monkeypatch, learnt)
    models = fit_models(*checkerboard(), CONFIG, SilentProgress())
    assert learnt.events == [72, 96, 120]
    np.testing.assert_array_equal(models.parts.array("sequence_items"), drawn(12, len(learnt.events)).items)
    assert len(models.scorers()["sequence"](history("0", "2"), 5)) == 5
    assert "sequence" in models.metrics["recommend"]["ndcg@10"]


def test_a_plain_fit_offers_no_such_model() -> None:
    assert "sequence" not in fitted().scorers()


def test_without_torch_the_fit_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="pip install torch"):
        fit_models(*checkerboard(), CONFIG, SilentProgress())
    torch_needed(PLAIN.sequence)
