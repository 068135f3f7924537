"""A small service, and a connection to it in memory."""

from __future__ import annotations

import pytest

from recmesh.testing import Wire
from tests.rpc.kit import Health


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def line(health: Health) -> Wire:
    joined = Wire(health.handlers())
    joined.move()
    return joined
