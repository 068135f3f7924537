"""One bundle of the shipped ratings for all system tests, and a mesh for those that leave it whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recmesh.client import blocking
from tests.system.mesh import ROOT, Mesh, running


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    dataset = ROOT / "examples" / "data" / "ml-latest-small"
    command = [sys.executable, "-m", "training", "fit", str(dataset), "--out", str(models)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return models


@pytest.fixture(scope="session")
def mesh(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with running(bundle, tmp_path_factory.mktemp("mesh")) as whole:
        yield whole


@pytest.fixture(scope="session")
def client(mesh: Mesh) -> Iterator[blocking.Client]:
    with blocking.Client(mesh.gateway) as connected:
        yield connected
