"""A gateway that answers the command."""

from __future__ import annotations

import pytest

from recmesh.client import blocking
from tests.cli.kit import Mesh
from tests.client.fake import FakeClock


@pytest.fixture
def mesh(monkeypatch: pytest.MonkeyPatch) -> Mesh:
    mesh = Mesh()
    monkeypatch.setattr(blocking, "Endpoint", mesh.connect)
    monkeypatch.setattr(blocking, "Clock", FakeClock)
    monkeypatch.delenv("RECMESH_GATEWAY", raising=False)
    return mesh
