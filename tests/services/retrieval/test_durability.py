"""Real replicas: what was acknowledged survives kill -9, and who was away learns what it missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmesh.rpc import Channel, blocking
from recmesh.v1 import retrieval_pb2 as pb
from recmesh.v1.retrieval_rpc import RetrievalStub
from tests.services.processes import configuration, running
from tests.services.retrieval.kit import record

pytestmark = pytest.mark.system


def put(channel: Channel, *names: str) -> None:
    request = pb.PutShardItemsRequest(records=[record(name) for name in names])
    assert blocking.run(RetrievalStub(channel).put_items(request)).stored == len(names)


def there(channel: Channel, *names: str) -> list[str]:
    answer = blocking.run(RetrievalStub(channel).get_items(pb.GetItemsRequest(item_ids=names)))
    return [each.item.id for each in answer.records]


def test_acknowledged_items_survive_kill_9(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "retrieval", bundle)
    with running("retrieval", config) as process:
        with process.channel() as channel:
            put(channel, "x", "y")
            blocking.run(RetrievalStub(channel).delete_items(pb.DeleteShardItemsRequest(item_ids=["i3"])))
        process.kill()
    with running("retrieval", config) as process, process.channel() as channel:
        assert there(channel, "x", "y", "i3", "i4") == ["x", "y", "i4"]


def test_a_replica_has_caught_up_when_it_serves_and_stays_so(tmp_path: Path, bundle: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    with running("retrieval", configuration(folders[0], "retrieval", bundle)) as a, a.channel() as to_a:
        put(to_a, "before")
        config = configuration(
            folders[1],
            "retrieval",
            bundle,
            peers=[a.said["address"]],
            catch_up_poll_seconds=0.02,
            catch_up_start_seconds=60.0,
        )
        with running("retrieval", config) as b, b.channel() as to_b:
            assert there(to_b, "before") == ["before"]
            put(to_a, "after")
            while not there(to_b, "after"):
                assert b.process.poll() is None
            assert b.stop()[0] == 0


def test_a_replica_whose_peers_are_down_serves_all_the_same(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "retrieval", bundle, peers=["127.0.0.1:1"], log="json")
    with running("retrieval", config) as process:
        assert process.ask("/readyz")[0] == 200
        code, log = process.stop()
    assert code == 0 and "a peer does not tell what this replica missed" in log
