"""A fit that was stopped goes on where it was, and gives what it would have given in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.writer import Parts
from tests.models.worlds import SMALL, checkerboard
from training import parts as parts_module
from training.fit import FitConfig, fit_bundle
from training.progress import SilentProgress
from training.stages import ABANDONED, WorkFolder, run_key


def fit(out: Path, config: FitConfig = SMALL, now: float = 1.0) -> tuple[Path, list[str]]:
    data, items = checkerboard()
    reused: list[str] = []
    path = fit_bundle(
        data,
        items,
        name="board",
        out=out,
        config=config,
        progress=SilentProgress(),
        now=now,
        fingerprint="f",
        report={},
        reused=reused.append,
    )
    return path, reused


def stop_at(monkeypatch: pytest.MonkeyPatch, label: str) -> Callable[[], None]:
    """Interrupts the fit of the item-kNN with this label; the answer lets it run again."""
    real = parts_module._itemknn

    def interrupted(*given: object) -> Parts:
        if given[-1] == label:
            raise KeyboardInterrupt
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(parts_module, "_itemknn", interrupted)
    return monkeypatch.undo


def test_a_stopped_fit_goes_on_and_gives_the_same_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_again = stop_at(monkeypatch, "")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "twice")
    run_again()
    resumed, reused = fit(tmp_path / "twice")
    whole, nothing = fit(tmp_path / "once")
    assert reused[0] == "texts" and "factors" in reused and nothing == []
    assert resumed.name == whole.name


def test_nothing_is_left_of_a_fit_that_came_to_its_end(tmp_path: Path) -> None:
    path, _ = fit(tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_other_settings_do_not_take_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_again = stop_at(monkeypatch, "")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    run_again()
    assert fit(tmp_path, replace(SMALL, seed=1))[1] == []


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    reused: list[str] = []
    work = WorkFolder.of(tmp_path, "key", 0.0, reused.append)
    work.kept("a stage", lambda: Parts({}, files={"word": b"right"}))
    next(tmp_path.glob("key/a-stage/*/word")).write_bytes(b"wrong")
    again = work.kept("a stage", lambda: Parts({}, files={"word": b"right"}))
    assert again.bytes("word") == b"right" and reused == []
    assert work.kept("a stage", Parts).bytes("word") == b"right" and reused == ["a stage"]  # type: ignore[arg-type]


def test_what_nobody_went_on_with_is_removed(tmp_path: Path) -> None:
    for key in ("old", "ours"):
        (tmp_path / key).mkdir()
    written = (tmp_path / "old").stat().st_mtime
    WorkFolder.of(tmp_path, "ours", written + ABANDONED / 2, print)
    assert (tmp_path / "old").exists()
    WorkFolder.of(tmp_path, "ours", written + ABANDONED * 2, print)
    assert not (tmp_path / "old").exists() and (tmp_path / "ours").exists()


def test_the_key_tells_data_and_settings_apart() -> None:
    data, items = checkerboard()
    keys = {
        run_key(data, items, {}),
        run_key(data, items, {"seed": 1}),
        run_key(replace(data, weights=data.weights * np.float32(2)), items, {}),
        run_key(data, [replace(items[0], title="Another"), *items[1:]], {}),
    }
    assert len(keys) == 4 and run_key(data, items, {}) in keys
