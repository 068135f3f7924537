"""A bundle of the shipped ratings, fitted once and kept, and the mesh of a module."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.bundle import Bundle, BundleError, find_bundle
from tests.chaos.harness import ROOT
from tests.chaos.mesh import ChaosMesh, base_port, chaos_mesh

KEPT = ROOT / "var" / "chaos" / "models"


@pytest.fixture(scope="session")
def kept_bundle() -> Path:
    """The newest under $CHAOS_BUNDLE, else under var/chaos; it is fitted where there is none that opens."""
    models = Path(os.environ.get("CHAOS_BUNDLE", KEPT))
    try:
        return _newest(models)
    except BundleError:
        dataset = ROOT / "examples" / "data" / "ml-latest-small"
        command = [sys.executable, "-m", "training", "fit", str(dataset), "--out", str(models)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return _newest(models)


def _newest(models: Path) -> Path:
    path = find_bundle(models)
    Bundle.open(path)
    return path


@pytest.fixture(scope="module")
def mesh(kept_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosMesh]:
    with chaos_mesh(kept_bundle, tmp_path_factory.mktemp("mesh"), base_port()) as whole:
        yield whole


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints what was measured, whether or not pytest keeps what tests print."""

    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="", flush=True)  # noqa: T201 - for whoever runs it

    return say
