"""Seconds are those of the stages a model needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.data import Interactions
from models.sasrec import Network
from tests.models.networks import SMALL as SEQUENCE
from tests.models.networks import drawn
from tests.models.worlds import SMALL, checkerboard
from training import fit
from training.fit import SINGLE_MODELS, fit_models
from training.progress import SilentProgress
from training.stopwatch import STAGES, Stopwatch


def test_every_model_has_its_own_stages_of_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(data: Interactions, *_: object) -> Network:
        return drawn(len(data.item_ids))

    monkeypatch.setattr(fit, "fit_on_torch", network)
    monkeypatch.setattr(fit, "torch_needed", lambda config: None)
    watch = Stopwatch(SilentProgress())
    fit_models(*checkerboard(), replace(SMALL, sequence=SEQUENCE), watch)
    assert set(STAGES) == set(SINGLE_MODELS)
    for model, stages in STAGES.items():
        assert (watch.fitting(model) > 0) == bool(stages), model
    assert watch.fitting("blend") > sum(watch.fitting(model) for model in STAGES)
