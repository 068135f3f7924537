"""From a dataset to recommendations as a user would, on data whose right answers are planted."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle, find_bundle
from models.histories import Histories
from models.pipeline import LocalRecommender
from tests.training.planted import KINDS, write_planted
from training.beyond import BEYOND
from training.commands import main
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.evaluate import tuned_alike
from training.fit import FitConfig
from training.metrics import METRICS, SHOWN
from training.preprocessing import PreprocessingConfig, prepare
from training.progress import SilentProgress
from training.splits import leave_one_out, temporal

ROOT = Path(__file__).parents[2]
MODELS = ("popularity", "trending", "itemknn", "transitions", "ials", "ease", "rp3beta", "content", "blend")


def run(*arguments: object) -> str:
    """Standard output of a command that succeeds."""
    out, err = io.StringIO(), io.StringIO()
    assert main([str(one) for one in arguments], out, err) == 0, err.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("data") / "planted")


@pytest.fixture(scope="module")
def models(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models")
    run("fit", dataset, "--out", out)
    return out


def content(bundle: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(bundle.iterdir())}


def test_fit_names_its_bundle_last_and_the_bundle_tells_of_the_data(dataset: Path, tmp_path: Path) -> None:
    with (dataset / "interactions.csv").open("a") as file:
        file.write("u0,harbour-0,like,yesterday\n")
    try:
        printed = run("fit", dataset, "--out", tmp_path, "--name", "shop")
    finally:
        write_planted(dataset)
    bundle = Bundle.open(Path(printed.splitlines()[-1]))
    assert bundle.path.parent == tmp_path / "shop"
    assert "users: 60" in printed
    assert "rows rejected: 1" in printed
    report = bundle.manifest["metrics"]["data"]
    assert report["interactions"] == [600, 600]
    assert list(report["rejected"]["interactions.csv"].values()) == [1]
    assert (tmp_path / "shop" / "rejects.jsonl").exists()
    assert bundle.config["event_weights"]["like"] == 1.0


def test_the_same_seed_gives_the_same_bytes(dataset: Path, models: Path, tmp_path: Path) -> None:
    """In another process too, where sets and dictionaries of strings hash differently."""
    command = [sys.executable, "-m", "training", "fit", str(dataset), "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == str(find_bundle(tmp_path))
    first, second = find_bundle(models), find_bundle(tmp_path)
    assert first.name == second.name
    one, other = content(first), content(second)
    manifests = [json.loads(files.pop("manifest.json")) for files in (one, other)]
    assert one == other
    created = [manifest.pop("created") for manifest in manifests]
    assert created[0] < created[1]
    assert manifests[0] == manifests[1]


def test_another_seed_gives_another_version(dataset: Path, models: Path, tmp_path: Path) -> None:
    run("fit", dataset, "--out", tmp_path, "--seed", 1)
    assert find_bundle(tmp_path).name != find_bundle(models).name


def test_evaluate_finds_what_was_planted(dataset: Path, tmp_path: Path) -> None:
    figures = tmp_path / "out" / "figures.json"
    printed = run("evaluate", dataset, "--protocol", "temporal", "--json", figures)
    found = json.loads(figures.read_text())
    assert (found["dataset"], found["protocol"], found["users"], found["items"]) == ("planted", "temporal", 60, 60)
    values = {(one["model"], one["metric"], one["k"]): one["value"] for one in found["results"]}
    assert set(values) == {(model, metric, k) for model in MODELS for metric in (*METRICS, *BEYOND) for k in (10, 20)}
    assert all(0 <= value <= 1 for (_, metric, _), value in values.items() if metric in METRICS)
    # What comes next is plain from the order; the rest of a user's kind from anything but popularity.
    assert values["transitions", "ndcg", 10] > 0.85
    assert values["blend", "ndcg", 10] > 0.85
    assert min(values[model, "recall", 10] for model in ("itemknn", "ials", "rp3beta", "content")) > 0.7
    assert values["popularity", "ndcg", 10] < 0.3
    assert set(found["seconds"]) >= {"read", "clean", "ask blend"}
    lines = [line.split() for line in printed.splitlines()]
    rows = [line for line in lines if line and line[0] in MODELS and len(line) == 1 + len(SHOWN)]
    assert [row[0] for row in rows[: 2 * len(MODELS)]] == [*MODELS, *MODELS]
    assert rows[len(MODELS) - 1][4] == f"{values['blend', 'ndcg', 10]:.4f}"


def test_leave_one_out_tunes_the_blend_on_one_event_each(dataset: Path) -> None:
    usual = FitConfig()
    assert tuned_alike(usual, "temporal") is usual
    share = tuned_alike(usual, "leave-one-out").blend.held_out_share
    with Rejects(dataset.parent / "rejects.jsonl") as rejects:
        data = prepare(read_dataset(dataset, rejects, SilentProgress()), PreprocessingConfig()).interactions
    np.testing.assert_array_equal(temporal(data, share).test.items, leave_one_out(data).test.items)


def test_recommend_gives_the_lists_of_the_request_path(models: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("u3\nnobody\nguest\tharbour-1\tharbour-2\tharbour-3\n")
    printed = run("recommend", models, "--users", users, "--count", 5, "--out", tmp_path / "lists.tsv")
    lists = [line.split("\t") for line in (tmp_path / "lists.tsv").read_text().splitlines()]
    assert printed.splitlines()[-1] == str(tmp_path / "lists.tsv")
    assert "of 1 nothing is known" in printed

    bundle = Bundle.open(find_bundle(models))
    recommender, histories = LocalRecommender(bundle), Histories(bundle)
    history = histories.of("u3")
    assert history is not None
    assert lists[0] == ["u3", *(item for item, _ in recommender.recommend(history, 5))]
    assert not set(lists[0]) & set(history.item_ids), "what a user has is left out"
    assert lists[1] == ["nobody", *(item for item, _ in recommender.recommend(None, 5))]
    assert len(lists[1]) == 6
    assert lists[2][:2] == ["guest", "harbour-4"], "after 1, 2, 3"


def test_recommend_writes_json_lines(models: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.jsonl"
    users.write_text('{"user": "tab\\tbed", "history": ["library-1"]}\n')
    run("recommend", find_bundle(models), "--users", users, "--count", 3, "--out", tmp_path / "lists.jsonl")
    (answer,) = [json.loads(line) for line in (tmp_path / "lists.jsonl").read_text().splitlines()]
    assert answer["user"] == "tab\tbed"
    assert len(answer["items"]) == len(answer["scores"]) == 3
    assert answer["scores"] == sorted(answer["scores"], reverse=True)


def test_an_id_with_a_tab_is_refused_with_the_remedy_and_nothing_is_written(models: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.jsonl"
    users.write_text('{"user": "fine"}\n{"user": "tab\\tbed"}\n')
    out, err = tmp_path / "lists.tsv", io.StringIO()
    code = main(["recommend", str(models), "--users", str(users), "--out", str(out)], io.StringIO(), err)
    assert code == 2
    assert r"the id 'tab\tbed' holds a tab or a line end; write JSON lines: --out FILE.jsonl" in err.getvalue()
    assert [path.name for path in tmp_path.iterdir()] == ["users.jsonl"]


def test_a_damaged_bundle_is_refused(models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(find_bundle(models), copy)
    with (copy / "item_factors.npy").open("r+b") as file:
        file.truncate(100)
    err = io.StringIO()
    assert main(["inspect", str(copy)], io.StringIO(), err) == 2
    assert "item_factors.npy: truncated" in err.getvalue()


def test_inspect_tells_what_a_bundle_is(models: Path) -> None:
    printed = run("inspect", models)
    assert "\nweights of the blend:\n  recommend:\n    " in printed
    bundle = Bundle.open(find_bundle(models))
    assert printed.startswith(f"planted {bundle.version}, format 1, made ")
    for expected in ("  seed: 0", "    interactions: [600, 600]", "item_factors.npy"):
        assert expected in printed


def test_a_log_of_events_closes_the_loop(dataset: Path, tmp_path: Path) -> None:
    """A newcomer who is only in the log gets what the log leads to."""
    grown = tmp_path / "grown"
    shutil.copytree(dataset, grown)
    events = [event(number, f"mountain-{number}") for number in range(1, 4)]
    (grown / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    run("fit", grown, "--out", tmp_path / "models")
    users = tmp_path / "users.txt"
    users.write_text("newcomer\n")
    run("recommend", tmp_path / "models", "--users", users, "--count", 3, "--out", tmp_path / "lists.tsv")
    assert (tmp_path / "lists.tsv").read_text().split("\t")[1] == "mountain-4"
    assert "mountain" in KINDS


def event(number: int, item: str) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "user_id": "newcomer",
        "item_id": item,
        "type": "like",
        "timestamp": 1_800_000_000 + number,
    }
