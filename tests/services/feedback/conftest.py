"""A feedback service for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.feedback.kit import Service


@pytest.fixture
def service(tmp_path: Path, bundle: Path) -> Iterator[Service]:
    made = Service(tmp_path, bundle)
    yield made
    made.close()
