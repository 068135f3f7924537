"""What the retrieval service can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.retrieval.settings import Settings


def told(**settings: object) -> Settings:
    given: dict[str, object] = {"listen": "10.0.0.1:7200", "bundle": Path("models"), "state": Path("state"), **settings}
    return Settings(**given)  # type: ignore[arg-type]


def test_a_replica_is_no_peer_of_itself() -> None:
    pods = ("retrieval-0-0.retrieval-0:7200", "retrieval-0-1.retrieval-0:7200")
    assert told(peers=pods, node_id="retrieval-0-1").other_replicas == pods[:1]
    assert told(peers=pods).other_replicas == pods
    assert told(peers=("10.0.0.1:7200", "10.0.0.2:7200")).other_replicas == ("10.0.0.2:7200",)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"shard": 1}, "shard = 1 is outside 0 to 0"),
        ({"shards": 0}, "shards = 0 is outside 1 to 1000"),
        ({"peers": ("a",)}, 'peers = "a" is no address'),
        ({"catch_up_poll_seconds": 0.0}, "catch_up_poll_seconds = 0 is outside"),
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        told(**wrong)
