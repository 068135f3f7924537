"""How much the entries of a history count for each source that looks at them one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from models import transitions
from models.bundle import BundleData, settings_of
from models.data import Float32, History
from models.ease import EaseConfig
from models.histories import decayed_weights
from models.itemknn import ItemKnnConfig
from models.rp3beta import Rp3BetaConfig

NEIGHBOURS: Final = ("itemknn", "transitions", "rp3beta")  # sources that keep a row of neighbours for every item

Weigh: TypeAlias = Callable[[History], Float32]  # of the newest entries, as far as they count


def query_weights(bundle: BundleData) -> Mapping[str, Weigh]:
    """By the settings the bundle was fitted with."""
    asked = settings_of(bundle, "transitions", transitions.TransitionsConfig)
    return {
        "itemknn": partial(decayed_weights, half_life=settings_of(bundle, "itemknn", ItemKnnConfig).half_life),
        "rp3beta": partial(decayed_weights, half_life=settings_of(bundle, "rp3beta", Rp3BetaConfig).half_life),
        "ease": partial(decayed_weights, half_life=settings_of(bundle, "ease", EaseConfig).half_life),
        "transitions": partial(transitions.query_weights, config=asked),
    }
