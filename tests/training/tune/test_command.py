"""`python -m training tune` as a user runs it: settings that fit takes, and nothing held out looked at."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path

import pytest

from tests.training.planted import write_planted
from training.commands import main


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main([str(one) for one in arguments], out, err), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("data") / "planted")


def test_it_writes_settings_on_top_of_those_given(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra `tune` is not installed")
    base, tuned = tmp_path / "base.toml", tmp_path / "tuned.toml"
    base.write_text("max_rejects = 0.5\n[fit.ials]\nsteps = 3\n[fit.ease]\nleast_taken = 2\n")
    arguments = ("tune", dataset, "--config", base, "--out", tuned, "--trials", 2, "--only", "ease")
    code, out, err = run(*arguments)
    assert code == 0, err
    found = tomllib.loads(tuned.read_text())
    assert found["max_rejects"] == 0.5
    assert found["fit"]["ials"] == {"steps": 3}
    assert set(found["fit"]["ease"]) == {"least_taken", "regularization"}
    assert "trial 1: " in out and "trial 2: " in out and "2 trials: NDCG@10" in out
    code, out, _ = run(*arguments)
    assert code == 0
    assert "trial 1: " not in out, "both are kept"
    assert tomllib.loads(tuned.read_text()) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", "0"), "--trials and --users are 1 or more"),
        (("--minutes", "nan"), "--minutes is above 0"),
        (("--only", "als"), "nothing to tune is called als"),
        (("--held-out", "x"), "tuning sees nothing that is held out"),
    ],
)
def test_wrong_arguments_are_one_line(dataset: Path, tmp_path: Path, arguments: tuple[str, str], message: str) -> None:
    code, _, err = run("tune", dataset, "--out", tmp_path / "tuned.toml", *arguments)
    assert code == 2
    assert message in err
