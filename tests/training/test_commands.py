"""The commands' answers to what cannot be used: one line with the remedy, exit code 2, no traceback."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.training.planted import write_planted
from training import inputs
from training.commands import main


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main([str(one) for one in arguments], out, err), out.getvalue(), err.getvalue()


def errors(err: str) -> list[str]:
    """Standard error without the lines that tell of stages."""
    return [line for line in err.splitlines() if line.startswith(("error:", "Traceback", "interrupted"))]


def refused(*arguments: object) -> str:
    code, _, err = run(*arguments)
    (message,) = errors(err)
    assert code == 2
    return message


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_planted(tmp_path / "planted", users=4)


@pytest.mark.parametrize("command", [("fit", "--out", "models"), ("evaluate",)])
def test_a_missing_dataset(tmp_path: Path, command: tuple[str, ...]) -> None:
    message = refused(command[0], tmp_path / "no where", *command[1:])
    assert "no where: no such directory; name the directory that holds the dataset" in message


def test_a_directory_without_interactions(tmp_path: Path) -> None:
    assert "no interactions found" in refused("fit", tmp_path, "--out", tmp_path / "models", "--name", "x")


def test_an_unknown_key_of_dataset_toml(dataset: Path) -> None:
    (dataset / "dataset.toml").write_text("[weigths]\nlike = 1\n")
    message = refused("fit", dataset, "--out", dataset / "models")
    assert 'dataset.toml: unknown key "weigths"; did you mean "weights"?' in message


def test_too_many_bad_rows_leave_their_list_in_the_run_folder(dataset: Path, tmp_path: Path) -> None:
    with (dataset / "interactions.csv").open("a") as file:
        file.write(",harbour-1,like,5\n")
    message = refused("fit", dataset, "--out", tmp_path / "models")
    assert "interactions.csv: 1 of 41 rows" in message and "--max-rejects" in message
    assert '"no user"' in (tmp_path / "models" / "planted" / "rejects.jsonl").read_text()


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[preprocesing]\n", 'unknown key "preprocesing"; did you mean "preprocessing"?'),
        (
            "[preprocessing]\nmin_users = 1\n",
            'unknown key "min_users" in [preprocessing]; did you mean "min_user_events"?',
        ),
        ("[preprocessing]\nmin_user_events = -1\n", "preprocessing: minimum counts are 0 or more"),
        ("[fit]\nsede = 1\n", 'unknown key "sede" in [fit]; did you mean "seed"?'),
        ("max_rejects = 2\n", "max_rejects is a share from 0 to 1"),
        ("max_rejects = \n", "is not valid TOML"),
    ],
)
def test_wrong_settings(dataset: Path, toml: str, message: str) -> None:
    file = dataset.parent / "settings.toml"
    file.write_text(toml)
    found = refused("evaluate", dataset, "--config", file)
    assert str(file) in found and message in found


def test_missing_settings(dataset: Path) -> None:
    assert "none.toml: cannot be read: No such file" in refused("evaluate", dataset, "--config", "none.toml")


def test_an_impossible_share_of_rejects(dataset: Path) -> None:
    assert "max_rejects is a share from 0 to 1" in refused("evaluate", dataset, "--max-rejects", "7")


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", " "])
def test_a_name_that_is_no_directory(dataset: Path, name: str) -> None:
    if not name:
        (dataset / "dataset.toml").write_text('name = "two words"\n')
    assert "cannot name a bundle" in refused("fit", dataset, "--out", dataset / "models", "--name", name)


@pytest.mark.parametrize("count", ["0", "-1", "1000000000"])
def test_a_count_out_of_range(tmp_path: Path, count: str) -> None:
    message = refused("recommend", tmp_path, "--users", "users", "--count", count, "--out", "out")
    assert f"--count {count} is outside 1 to 1,000" in message


def test_a_missing_bundle(tmp_path: Path) -> None:
    assert "no such directory" in refused("inspect", tmp_path / "none")
    assert "no bundle here" in refused("recommend", tmp_path, "--users", "users", "--out", "out")


def test_an_output_that_cannot_be_written(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, not a directory")
    with (dataset / "interactions.csv").open("a") as file:
        file.write(",harbour-1,like,5\n")
    assert "models" in refused("fit", dataset, "--out", tmp_path / "models")


def test_an_interruption(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inputs, "prepare", interrupt)
    code, _, err = run("evaluate", dataset)
    assert (code, errors(err)) == (130, ["interrupted"])
