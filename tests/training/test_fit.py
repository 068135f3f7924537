"""A fit gives a whole bundle, the same one for the same data, settings and seed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.blend import SHORT
from models.bundle import MANIFEST, Bundle
from models.data import Interactions, ItemInfo
from models.encoder import Encoder
from models.histories import Histories
from models.pipeline import CANDIDATES_PER_SOURCE, LocalRecommender
from models.sources import SURFACES
from tests.models.worlds import SMALL, checkerboard, fitted, history, interactions
from training.fit import SINGLE_MODELS, FitConfig, fit_bundle, fit_models, tidy
from training.progress import SilentProgress, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def write(out: Path, config: FitConfig = SMALL, now: float = 1.0, **others: Any) -> Path:
    data, items = checkerboard()
    given: dict[str, Any] = {"name": "board", "fingerprint": "f", "report": {"rows": 3}} | others
    return fit_bundle(data, items, out=out, config=config, progress=SilentProgress(), now=now, **given)


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name != MANIFEST}


def test_the_manifest_says_what_was_fitted(tmp_path: Path) -> None:
    bundle = Bundle.open(write(tmp_path, event_weights={"view": 0.5}))
    assert bundle.path.parent == tmp_path / "board" and bundle.name == "board"
    assert bundle.created == 1.0 and bundle.manifest["data_fingerprint"] == "f"
    assert bundle.manifest["metrics"]["data"] == {"rows": 3}
    assert bundle.config["seed"] == 0 and bundle.config["ials"]["dimension"] == 8
    assert bundle.config["event_weights"] == {"view": 0.5}
    assert bundle.config["candidates_per_source"] == CANDIDATES_PER_SOURCE
    quality = bundle.manifest["metrics"]["validation"]["recommend"]["ndcg@10"]
    assert set(quality) == {*SINGLE_MODELS, "blend"} and all(0 <= value <= 1 for value in quality.values())


def test_the_same_seed_gives_the_same_bundle_in_another_process(tmp_path: Path) -> None:
    """Another hash seed orders sets of texts differently: nothing may depend on that."""
    here = write(tmp_path / "here")
    program = (
        f"from tests.training.test_fit import write; from pathlib import Path; write(Path({str(tmp_path)!r}), now=9.0)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
    there = tmp_path / "board" / here.name
    assert contents(here) == contents(there)
    first, second = Bundle.open(here).manifest, Bundle.open(there).manifest
    assert {key for key in first if first[key] != second[key]} == {"created"}


def test_another_seed_gives_another_bundle(tmp_path: Path) -> None:
    assert write(tmp_path).name != write(tmp_path, replace(SMALL, seed=1)).name


def test_a_written_bundle_answers_like_the_models_in_memory(tmp_path: Path) -> None:
    bundle = Bundle.open(write(tmp_path))
    asked = history("2", "4")
    assert LocalRecommender(bundle).recommend(asked, 5) == fitted().recommender.recommend(asked, 5)


def test_every_stage_tells_its_progress() -> None:
    told: dict[str, list[int]] = {}
    lines: list[str] = []

    class Counter:
        def __init__(self, name: str, total: int) -> None:
            self._counts = told.setdefault(name, [0, total])

        def advance(self, n: int = 1) -> None:
            self._counts[0] += n

    class Recorder:
        @contextmanager
        def stage(self, name: str, total: int) -> Iterator[Stage]:
            yield Counter(name, total)

        def tell(self, line: str) -> None:
            lines.append(line)

    data, items = checkerboard()
    fit_models(data, items, SMALL, Recorder())
    assert lines == ["ranker: left out, fewer than 200 users to learn from"]
    assert {"tokenizer", "content vectors", "iALS", "item-kNN", "transitions", "blend: recommend"} <= set(told)
    for name, (done, total) in told.items():
        assert done == total, name
    assert min(told["iALS"][1], told["item-kNN"][1], told["blend: recommend"][1]) > 0


def test_the_blend_is_fitted_on_the_latest_events_and_the_models_on_all() -> None:
    told = fitted().metrics["recommend"]
    assert told["questions"] == 24
    assert set(fitted().parts.json("blend")) == {*SURFACES, SHORT}
    found = Histories(fitted().parts).of("u0")
    assert found is not None and len(found) == 5, "nothing is held out of what is saved"


def test_items_stand_in_order_of_their_ids() -> None:
    data, items = checkerboard()
    tidied, catalogue = tidy(data, items)
    assert list(tidied.item_ids) == sorted(data.item_ids) == [item.id for item in catalogue]
    assert [tidied.item_ids[item] for item in tidied.items] == [data.item_ids[item] for item in data.items]


def test_an_item_met_again_counts_once_in_its_last_place() -> None:
    rows = [(0, 1), (0, 0), (0, 1), (1, 1), (0, 0)]
    data = interactions(rows, 2, 2, [1.0, 1.0, 0.3, 1.0, -1.0])
    tidied, _ = tidy(data, [ItemInfo("0"), ItemInfo("1")])
    assert tidied.users.tolist() == [0, 0, 1]
    assert tidied.items.tolist() == [1, 0, 1]
    np.testing.assert_allclose(tidied.weights, [1.0, -1.0, 1.0])
    assert (np.diff(tidied.timestamps[:2]) > 0).all()


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (interactions([(0, 0)], 1, 1), [ItemInfo("0")]),
        (interactions([(0, 0), (0, 1), (1, 0)], 2, 3), [ItemInfo(str(n)) for n in range(3)]),
        (interactions([(0, 0), (0, 1)], 1, 3, [-1.0, -1.0]), [ItemInfo("0", "A"), ItemInfo("1"), ItemInfo("2")]),
    ],
    ids=["one event", "no texts", "only dislikes"],
)
def test_the_smallest_data_can_be_fitted(data: Interactions, items: list[ItemInfo]) -> None:
    for config in (SMALL, FitConfig()):
        models = fit_models(data, items, config, SilentProgress())
        assert {len(recommend(history("0"), 5)) for recommend in models.scorers().values()} <= {0, 1, 2}
        assert models.recommender.recommend(None, 5) is not None
        factors, content = Encoder(models.parts).embed_texts(["anything"])
        assert factors.shape == (1, config.ials.dimension) and content.shape == (1, config.content.dimension)


def test_items_nobody_took_are_placed_by_their_text() -> None:
    data, items = checkerboard()
    unseen = ItemInfo("unseen", "The Knight", "A black story of a knight and a castle.", ("black",))
    more = replace(data, item_ids=[*data.item_ids, "unseen"])
    models = fit_models(more, [*items, unseen], SMALL, SilentProgress())
    row = models.parts.tables["items"]["id"].to_pylist().index("unseen")
    assert not models.parts.arrays["item_learned"][row]
    factors, _ = Encoder(models.parts).embed_histories([history("0", "2"), history("1", "3")])
    black, white = factors @ models.parts.arrays["item_factors"][row]
    assert black > white


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        FitConfig(seed=-1)
