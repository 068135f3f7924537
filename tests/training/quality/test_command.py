"""`python -m training quality`: runs what is not done, says what it skips, and makes the table of its figures."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.planted import write_planted
from training.commands import main
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.progress import SilentProgress
from training.quality import command
from training.quality.results import Measured, Results
from training.quality.rows import Reach, Row
from training.quality.run import UNPACK, of_language
from training.quality.run import run as run_row
from training.quality.table import markdown, verdict

HERE = Row(
    "here",
    "planted",
    "Planted kinds, leave one out",
    ("evaluate", "--protocol", "leave-one-out", "--cutoffs", "5"),
    (Reach("blend", "ndcg@5", value=0.5), Reach("blend", "ndcg@5", than="popularity", times=2.0)),
    settings={"fit": {"ials": {"dimension": 8}}},
)
LEARNT = replace(HERE, name="learnt", variant="with a network", needs="torch")
AWAY = Row("away", "elsewhere", "What is not here", ("evaluate",), (Reach("blend", "ndcg@10", value=0.5),))


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main([str(one) for one in arguments], out, err), out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> Sequence[Row]:
    monkeypatch.delenv(command.FOLDER, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(command, "read_rows", lambda: [HERE, AWAY, LEARNT])
    return [HERE, AWAY, LEARNT]


def test_a_row_is_run_once_and_the_table_says_what_it_gave(tmp_path: Path) -> None:
    write_planted(tmp_path / "data" / "planted")
    figures, table = tmp_path / "out" / "quality.json", tmp_path / "quality.md"
    code, out, err = run("quality", "--data", tmp_path / "data", "--out", figures)
    assert code == 0, err
    assert "away: skipped, elsewhere does not ship with this project" in out
    assert 'learnt: skipped, torch is not installed; pip install "recmesh[neural]"' in out
    assert "blend, ndcg@5: " in out and ": reached" in out
    document = json.loads(figures.read_text())
    keys = {"data", "protocol", "model", "metric", "k", "value", "split", "seconds", "peak_mb"}
    assert all(set(one) == keys for one in document["results"])
    assert {"popularity", "itemknn", "blend"} <= {one["model"] for one in document["results"]}
    assert all(one["peak_mb"] > 10 and one["protocol"] == "leave-one-out" for one in document["results"])

    code, out, _ = run("quality", "--data", tmp_path / "data", "--out", figures)
    assert (code, "here: done by an earlier run" in out) == (0, True)
    assert json.loads(figures.read_text()) == document

    code, _, _ = run("quality", "--out", figures, "--table", table)
    assert code == 0
    text = table.read_text()
    assert "## Planted kinds, leave one out" in text and "| blend | " in text
    assert "- What is not here (`away`)" in text
    assert str(tmp_path) not in text


def test_a_variant_is_told_apart_by_its_protocol(tmp_path: Path) -> None:
    write_planted(tmp_path / "planted")
    with (tmp_path / "log").open("w") as log:
        figures, _ = run_row(LEARNT, 0, tmp_path / "planted", None, log)
    assert {one.protocol for one in figures} == {"leave-one-out, with a network"}


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    code, _, err = run("quality", "--data", tmp_path / "none", "--out", tmp_path / "q.json")
    assert code == 2
    assert "no such directory; name the folder of data" in err


def test_a_run_that_fails_ends_the_command_and_its_output_is_kept(tmp_path: Path) -> None:
    (tmp_path / "data" / "planted").mkdir(parents=True)
    code, _, err = run("quality", "--data", tmp_path / "data", "--out", tmp_path / "q.json", "--only", "here")
    assert code == 2
    assert "here: the run ended with code 2; its output says why" in err
    assert "no interactions" in (tmp_path / "q.log").read_text()


def test_results_come_back_and_a_foreign_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "q.json"
    one = Measured("d", "temporal", "m", "ndcg", 10, 0.5, 0, 1.0, 100.0)
    Results.read(file).add(HERE, [one], [])
    again = Results.read(file)
    assert again.has(HERE) and not again.has(AWAY)
    assert again.figures["here"] == [one]
    file.write_text("[]")
    code, _, err = run("quality", "--out", file)
    assert code == 2
    assert "not a file this command wrote" in err


def measured(model: str, value: float, split: int = 0) -> Measured:
    return Measured("d", "p", model, "ndcg", 10, value, split, 1.0, 100.0)


def test_a_mean_over_seeds_is_judged() -> None:
    figures = [measured("blend", 0.4), measured("blend", 0.5, 1), measured("popularity", 0.3)]
    reached = verdict(Reach("blend", "ndcg@10", value=0.45, beyond=0.6), figures)
    assert reached == "- blend, ndcg@10: 0.4500, to reach 0.4500: reached; beyond: 0.6"
    missed = verdict(Reach("blend", "ndcg@10", than="popularity", times=2.0), figures)
    assert missed == "- blend, ndcg@10: 0.4500, to reach 0.6000 (2 times popularity): missed by 0.1500"
    equal = verdict(Reach("popularity", "ndcg@10", than="popularity"), figures)
    assert equal == "- popularity, ndcg@10: 0.3000, to reach 0.3000 (above popularity): missed by 0.0000"
    as_good = verdict(Reach("popularity", "ndcg@10", than="popularity", not_below=True), figures)
    assert as_good == "- popularity, ndcg@10: 0.3000, to reach 0.3000 (not below popularity): reached"
    doubled = [measured("popularity", 0.25), measured("blend", 0.5)]
    assert verdict(Reach("blend", "ndcg@10", than="popularity", times=2.0), doubled).endswith("popularity): reached")
    assert "to reach 0.1000: missed, there was none" in verdict(Reach("ranker", "ndcg@10", value=0.1), figures)
    assert "nothing to measure it by" in verdict(Reach("blend", "ndcg@10", than="ranker"), figures)


def test_a_table_of_several_seeds_shows_their_spread(tmp_path: Path) -> None:
    results = Results(tmp_path / "q.json")
    results.add(HERE, [measured("blend", 0.4), measured("blend", 0.5, 1)], [])
    assert "| blend | 0.4500 (0.4000 to 0.5000) | 1 | 100 |" in markdown([HERE], results)


def test_figures_of_texts_become_rows() -> None:
    document = {
        "seconds": {"a": 1.0, "b": 2.0},
        "peak_mb": 50.0,
        "results": [
            {"part": "cold items", "model": "m", "metric": "recall@10", "value": 0.2},
            {"part": "cold items", "model": "m", "metric": "seed 0", "value": 0.1},
            {"part": "cold items", "model": "m", "metric": "seed 1", "value": 0.3},
        ],
    }
    found = list(of_language(AWAY, 0, document))
    assert [(one.metric, one.k, one.split, one.value) for one in found] == [
        ("recall", 10, 0, 0.1),
        ("recall", 10, 1, 0.3),
    ]
    document["results"] = [
        {"part": "reviews as weights, ndcg@10", "model": "blend", "metric": "50% text", "value": 0.1}
    ]
    (one,) = of_language(AWAY, 0, document)
    assert (one.model, one.metric, one.k) == ("blend, 50% text", "ndcg", 10)
    document["results"] = [{"part": "categories, 5-fold", "model": "predicted", "metric": "micro-f1", "value": 0.7}]
    (one,) = of_language(AWAY, 2, document)
    assert (one.protocol, one.metric, one.k, one.split) == ("categories, 5-fold", "micro-f1", 0, 2)


def test_sentences_become_opinions(tmp_path: Path) -> None:
    for name, text in (
        ("rt-polarity.pos", "good\nfine \x96 caf\xe9\n"),
        ("rt-polarity.neg", "bad\n"),
        ("README", "no\n"),
    ):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for name in ("rt-polarity.pos", "rt-polarity.neg", "README"):
            packed.add(tmp_path / name, f"folder/{name}")
    folder = UNPACK["sentences"](archive, tmp_path / "out")
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        dataset = read_dataset(folder, rejects, SilentProgress(), opinions_suffice=True)
    assert sorted(value for _, value in dataset.opinions) == [1.0, 5.0, 5.0]
    assert "fine \x96 caf\xe9" in {text for text, _ in dataset.opinions}
