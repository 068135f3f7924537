"""Replicas over folders of their own, closed when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.services.retrieval.kit import Replica

Make: TypeAlias = Callable[..., Replica]


@pytest.fixture
def make(tmp_path: Path, bundle: Path) -> Iterator[Make]:
    """make(name, bundle, shard, shards): all of them optional."""
    made: list[Replica] = []

    def replica(name: str = "a", path: Path = bundle, shard: int = 0, shards: int = 1) -> Replica:
        made.append(Replica(tmp_path / name, path, shard, shards))
        return made[-1]

    yield replica
    for each in made:
        each.close()


@pytest.fixture
def replica(make: Make) -> Replica:
    return make()
