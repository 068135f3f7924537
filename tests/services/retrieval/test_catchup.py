"""A replica that was away learns what it missed from its peers."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import Message

from models.shard import shard_of
from recmesh.rpc import Call, Channel
from recmesh.rpc.status import RpcError, Status
from recmesh.v1 import retrieval_pb2 as pb
from recmesh.v1.retrieval_rpc import RetrievalStub
from services.retrieval.catchup import PAGE
from tests.services.retrieval.conftest import Make
from tests.services.retrieval.kit import Replica, record, unit
from tests.services.tiny import FACTORS, ITEMS


class Watched:
    """A peer whose calls are counted, and which can be away."""

    def __init__(self, peer: Replica) -> None:
        self.peer = peer
        self.calls: list[Message] = []
        self.away = False
        self.stub = RetrievalStub(Channel(self.answer))

    async def answer(self, call: Call) -> Message:
        self.calls.append(call.request)
        if self.away:
            raise RpcError(Status.UNAVAILABLE, "away")
        return await self.peer.stub.get_items(pb.GetItemsRequest.FromString(call.request.SerializeToString()))


def test_missed_puts_and_deletions_are_learnt(make: Make) -> None:
    a, b = make("a"), make("b")
    a.put(record("new", "Silent Running"))
    a.delete("i3")
    b.catch_up({"a": a.stub})
    assert b.titles("new", "i3") == ["Silent Running"]
    [found] = b.get("new", include_vectors=True)
    assert found.factors == unit(FACTORS)


def test_what_was_learnt_survives_a_restart_and_is_not_asked_for_again(make: Make) -> None:
    a, b = make("a"), make("b")
    a.put(record("new", "Silent Running"))
    b.catch_up({"a": a.stub})
    b.close()
    again, peer = make("b"), Watched(a)
    again.catch_up({"a": peer.stub})
    assert again.titles("new") == ["Silent Running"]
    assert [request.after_sequence for request in peer.calls] == [a.changes()[0].sequence]  # type: ignore[attr-defined]


def test_two_replicas_that_ask_each_other_come_to_rest(make: Make) -> None:
    a, b = make("a"), make("b")
    a.put(record("x", "of a", changed=1.0), record("y", "of a", changed=2.0))
    b.put(record("x", "of b", changed=2.0), record("z", "of b", changed=1.0))
    for _ in range(3):
        a.catch_up({"b": b.stub})
        b.catch_up({"a": a.stub})
    assert a.titles("x", "y", "z") == b.titles("x", "y", "z") == ["of b", "of a", "of b"]
    settled = [each.changes()[-1].sequence for each in (a, b)]
    a.catch_up({"b": b.stub})
    b.catch_up({"a": a.stub})
    assert [each.changes()[-1].sequence for each in (a, b)] == settled


def test_many_changes_come_in_pages(make: Make) -> None:
    a, b = make("a"), make("b")
    number = 2 * PAGE + 10
    for start in range(0, number, 410):
        a.put(*(record(f"n{each}") for each in range(start, min(start + 410, number))))
    peer = Watched(a)
    b.catch_up({"a": peer.stub})
    assert len(b.get(*(f"n{each}" for each in range(number)))) == number
    assert len(peer.calls) == 4


def test_a_peer_that_is_away_keeps_nobody_from_asking_the_next(make: Make) -> None:
    a, b, c = make("a"), make("b"), make("c")
    a.put(record("new", "Silent Running"))
    away = Watched(c)
    away.away = True
    b.catch_up({"c": away.stub, "a": a.stub})
    assert b.titles("new") == ["Silent Running"]


def test_vectors_come_with_the_version_they_belong_to(make: Make, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    a, b = make("a", old), make("b", old)
    a.load(new.name)
    a.put(record("x", changed=1.0), version=old.name)
    second = record("x", changed=1.0)
    second.factors = unit(FACTORS, axis=1)
    a.put(second, version=new.name)
    b.catch_up({"a": a.stub})
    b.load(new.name)
    b.catch_up({"a": a.stub})
    for bundle, axis in ((old, 0), (new, 1)):
        [found] = b.get("x", bundle_version=bundle.name, include_vectors=True)
        assert found.factors == unit(FACTORS, axis)


def test_items_of_a_peer_that_is_another_shard_are_left_out(make: Make) -> None:
    whole, half = make("whole"), make("half", shard=0, shards=2)
    mine = next(f"n{each}" for each in range(9) if shard_of(f"n{each}", 2) == 0)
    other = next(f"n{each}" for each in range(9) if shard_of(f"n{each}", 2) == 1)
    whole.put(record(other), record(mine))
    half.catch_up({"whole": whole.stub})
    assert [each.item.id for each in half.get(mine, other)] == [mine]
    assert len(half.get(*ITEMS)) == sum(shard_of(each, 2) == 0 for each in ITEMS)
