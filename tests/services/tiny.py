"""Bundles of thirty items, written in a moment: what the services are tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models import tokenizer
from models.catalogue import items_table
from models.content import inverse_frequencies, unit_rows
from models.data import Interactions, ItemInfo
from models.histories import add_histories
from models.ials import IalsConfig, Solver
from models.sparse import Int64, Rows
from models.writer import BundleWriter, Parts

ITEMS = [f"i{number}" for number in range(30)]
USERS = ["u0", "u1", "u2"]
FACTORS, CONTENT = 4, 3  # dimensions
TITLES = ["red planet", "blue moon", "green river", "old castle", "young wolf"]


def write_bundle(folder: Path, seed: int = 0, created: float = 1_000.0) -> Path:
    """folder/tiny/<version>. User u0 took i0..i4 at times 0..4, u1 i1..i5, u2 i2..i6, each with weight 1."""
    with BundleWriter("tiny", folder) as writer:
        writer.add(_parts(seed))
        config = {"ials": {"dimension": FACTORS}, "itemknn": {}, "transitions": {}, "seed": seed}
        return writer.finish(config, {}, "fingerprint", created)


def _parts(seed: int) -> Parts:
    rng = np.random.default_rng(seed)
    parts = Parts({})
    infos = [ItemInfo(item, f"{TITLES[place % 5]} {place}", "a film", ("drama",)) for place, item in enumerate(ITEMS)]
    parts.tables["items"] = items_table(infos)
    parts.tables["users"] = items_table([ItemInfo(user) for user in USERS]).select(["id"])
    add_histories(parts, _interactions())
    factors = rng.normal(size=(len(ITEMS), FACTORS)).astype(np.float32)
    parts.arrays |= {
        "item_factors": factors,
        "item_learned": np.ones(len(ITEMS), np.bool_),
        "item_contents": unit_rows(rng.normal(size=(len(ITEMS), CONTENT)).astype(np.float32)),
        "popularity": np.linspace(3, 0, len(ITEMS)).astype(np.float32),
        "ials_gram": Solver.on(factors, IalsConfig(dimension=FACTORS)).gram,
        "ials_mean_user": factors.mean(axis=0),
    }
    for name in ("itemknn", "transitions"):
        _neighbours(rng).add_to(parts, name)
    _text(parts, rng)
    parts.documents["blend"] = {
        surface: {"ials": 1.0, "popularity": 0.5} for surface in ("recommend", "similar", "search")
    }
    return parts


def _interactions() -> Interactions:
    users = np.repeat(np.arange(3, dtype=np.int32), 5)
    items = (users + np.tile(np.arange(5), 3)).astype(np.int32)
    return Interactions(USERS, ITEMS, users, items, np.ones(15, np.float32), np.tile(np.arange(5.0), 3))


def _neighbours(rng: np.random.Generator) -> Rows:
    """Five of every item."""
    columns = np.concatenate([rng.choice(len(ITEMS), 5, replace=False) for _ in ITEMS]).astype(np.int32)
    starts: Int64 = np.arange(len(ITEMS) + 1, dtype=np.int64) * 5
    return Rows(starts, columns, rng.uniform(size=len(columns)).astype(np.float32))


def _text(parts: Parts, rng: np.random.Generator) -> None:
    model = tokenizer.train([f"{title} a film drama" for title in TITLES], tokenizer.TokenizerConfig(100))
    cut = tokenizer.Tokenizer(model)
    pieces = cut.encode(TITLES)
    vocabulary = len(cut)
    parts.files["tokenizer.model"] = model
    parts.arrays["piece_idf"] = inverse_frequencies(pieces, vocabulary)
    parts.arrays["piece_contents"] = rng.normal(size=(vocabulary, CONTENT)).astype(np.float32)
    parts.arrays["piece_factors"] = rng.normal(size=(vocabulary, FACTORS)).astype(np.float32)
