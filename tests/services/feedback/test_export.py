"""The exported log: the layout that training reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.feedback import export
from tests.services.feedback.kit import Service, event
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.progress import SilentProgress


def config(folder: Path, bundle: Path) -> str:
    path = folder / "feedback.toml"
    path.write_text(f"listen = '127.0.0.1:0'\nbundle = '{bundle}'\nstate = '{folder}'\n", encoding="utf-8")
    return str(path)


def test_every_event_is_a_line_in_the_order_it_came(
    tmp_path: Path, service: Service, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.append(event("e1", "a", value=4.5, type="rating", text="good\nfilm"), event("e2", "b", timestamp=50.0))
    out = tmp_path / "out" / "events.jsonl"
    out.parent.mkdir()
    assert export.main(["--config", config(tmp_path, bundle), "--out", str(out)]) == 0
    first, second = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert first == {
        "event_id": "e1", "user_id": "new", "item_id": "a", "type": "rating", "value": 4.5, "timestamp": 100.0,
        "text": "good\nfilm",
    }  # fmt: skip
    assert second == {"event_id": "e2", "user_id": "new", "item_id": "b", "type": "like", "timestamp": 50.0}
    assert list(out.parent.iterdir()) == [out]
    assert capsys.readouterr().out == f"2 events written to {out}\n"


def test_a_value_of_zero_is_exported(tmp_path: Path, service: Service) -> None:
    service.append(event("e1", "a", value=0.0))
    export.export(service.store.path, tmp_path / "events.jsonl")
    assert json.loads((tmp_path / "events.jsonl").read_text())["value"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "none.toml", "--out", "x"], "none.toml: No such file or directory"),
        (["--out", "x"], "listen is missing"),
    ],
)
def test_a_wrong_call_ends_with_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_missing_store_and_a_bad_place_are_named(
    tmp_path: Path, bundle: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none" / "events.jsonl"
    assert export.main(["--config", config(tmp_path, bundle), "--out", str(out)]) == 2
    assert "events.jsonl: No such file or directory; name a file that can be written" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert export.main(["--config", config(tmp_path / "empty", bundle), "--out", str(tmp_path / "x")]) == 2
    assert "there is no event store" in capsys.readouterr().err


def test_training_reads_every_event(tmp_path: Path, service: Service) -> None:
    service.append(
        event("e1", "a", value=4.5, type="rating", text="\u2028 good"), event("e2", "b"), event("e3", "a", user_id="\0")
    )
    folder = tmp_path / "dataset"
    folder.mkdir()
    export.export(service.store.path, folder / "events.jsonl")
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        dataset = read_dataset(folder, rejects, SilentProgress())
    assert len(dataset.events) == 3 and not rejects.reasons
    assert sorted(dataset.events.types) == ["like", "rating"]
