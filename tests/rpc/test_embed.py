"""The example of a service of one's own runs as it stands, and is as short as it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed_a_service.py"

PRINTED = """\
brewed: a pot of oolong
poured: cup 1
poured: cup 2
poured: cup 3
refused: NOT_FOUND: this is a teahouse
"""


def test_the_example_runs_as_written() -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, PRINTED, "")


def test_a_service_takes_less_than_sixty_lines() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 60
