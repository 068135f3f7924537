"""Who may know whom is held by the import contracts: each of them catches a planted violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("recmesh", "models", "services", "gateway", "training")

PLANTED = {
    "Inside recmesh: cli over client, discovery, ops or mesh, messages, rpc": (
        "recmesh/rpc/status.py",
        "import recmesh.mesh.retry",
    ),
    "The call vocabulary, the protocol and the policies do no I/O": ("recmesh/mesh/retry.py", "import asyncio"),
    "The SDK needs no numerics": ("recmesh/client/core.py", "import numpy"),
    "Models know no network": ("models/blend.py", "import socket"),
    "A service knows no other service": ("services/ranking/service.py", "import services.embedding.service"),
    "Services know neither the gateway nor training": ("services/ranking/service.py", "import training.metrics"),
    "The gateway knows recmesh alone": ("gateway/recommend.py", "import models.blend"),
    "Training reaches a mesh through the client alone": ("training/evaluate.py", "import recmesh.rpc.tx"),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def broken_contracts(checkout: Path) -> list[str]:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False)
    broken = [line.rpartition(" BROKEN")[0] for line in result.stdout.splitlines() if line.endswith(" BROKEN")]
    assert (result.returncode != 0) == bool(broken), result.stdout + result.stderr
    return broken


def test_the_contracts_hold(checkout: Path) -> None:
    assert broken_contracts(checkout) == []


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_is_caught(checkout: Path, contract: str) -> None:
    name, line = PLANTED[contract]
    file = checkout / name
    clean = file.read_text()
    file.write_text(f"{clean}\n{line}\n")
    try:
        assert contract in broken_contracts(checkout)
    finally:
        file.write_text(clean)
