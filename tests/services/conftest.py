"""What the tests of all services share: a bundle made once, and a folder of two versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.tiny import write_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle alone in its folder. Not to be changed."""
    return write_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An older and a newer bundle side by side. Not to be changed."""
    folder = tmp_path_factory.mktemp("bundles")
    return write_bundle(folder, seed=1, created=1_000.0), write_bundle(folder, seed=2, created=2_000.0)
