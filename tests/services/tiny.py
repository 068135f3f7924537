"""Bundles of thirty items, fitted in a moment: what the services are tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.content import ContentConfig
from models.data import Interactions, ItemInfo
from models.ials import IalsConfig
from models.sasrec import SequenceConfig
from models.sentiment import Sentiment
from models.tokenizer import TokenizerConfig
from training.fit import FitConfig, fit_bundle
from training.progress import SilentProgress

ITEMS = [f"i{number}" for number in range(30)]
USERS = ["u0", "u1", "u2"]
FACTORS, CONTENT = 4, 3  # dimensions
NO_NETWORK = SequenceConfig()
TITLES = ["red planet", "blue moon", "green river", "old castle", "young wolf"]


def write_bundle(
    folder: Path,
    seed: int = 0,
    created: float = 1_000.0,
    sentiment: Sentiment | None = None,
    sequence: SequenceConfig = NO_NETWORK,
) -> Path:
    """folder/tiny/<version>. User u0 took i0..i4 at times 0..4, u1 i1..i5, u2 i2..i6, each with weight 1."""
    return fit_bundle(
        _interactions(),
        [ItemInfo(item, f"{TITLES[place % 5]} {place}", "a film", ("drama",)) for place, item in enumerate(ITEMS)],
        name="tiny",
        out=folder,
        config=FitConfig(
            seed=seed,
            tokenizer=TokenizerConfig(vocabulary=100),
            content=ContentConfig(dimension=CONTENT),
            ials=IalsConfig(dimension=FACTORS),
            sequence=sequence,
        ),
        progress=SilentProgress(),
        now=created,
        fingerprint="tiny",
        report={},
        sentiment=sentiment,
    )


def _interactions() -> Interactions:
    users = np.repeat(np.arange(3, dtype=np.int32), 5)
    items = (users + np.tile(np.arange(5), 3)).astype(np.int32)
    return Interactions(USERS, ITEMS, users, items, np.ones(15, np.float32), np.tile(np.arange(5.0), 3))
