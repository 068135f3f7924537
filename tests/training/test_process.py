"""`python -m training` as a process: what a signal leaves behind, and names that cannot be printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.bundle import BundleError, find_bundle
from tests.training.planted import write_planted
from training.fit import WORK

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "training", *map(str, arguments)]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", [b"read ...", b"write ..."])
def test_an_interrupted_fit_leaves_no_bundle(tmp_path: Path, sent: signal.Signals, stage: bytes) -> None:
    data, out = write_planted(tmp_path / "planted"), tmp_path / "out"
    fit = command("fit", data, "--out", out)
    running = subprocess.Popen(fit, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
    assert running.stderr is not None
    with running, running.stderr as told:
        shown = b""
        while not shown.endswith(stage):
            shown += told.read(1)
        running.send_signal(sent)
        shown += told.read()
    if running.returncode:  # a write may be done before the signal is there: the bundle is whole then
        assert running.returncode == 130 and shown.endswith(b"interrupted, the same command goes on from here\n")
        kept = {file.relative_to(out).parts[:2] for file in out.rglob("*") if file.is_file()}
        assert kept == (set() if stage == b"read ..." else {("planted", WORK)})
        with pytest.raises(BundleError):
            find_bundle(out)
    else:
        assert stage == b"write ..." and find_bundle(out)


def test_names_that_cannot_be_printed_do_not_end_a_run(tmp_path: Path) -> None:
    data = write_planted(tmp_path / "planted")
    (data / "Größe.txt").write_text("not a table")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        command("fit", data, "--out", tmp_path / "out"), cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert b"not read: Gr\\xf6\\xdfe.txt\n" in done.stdout
