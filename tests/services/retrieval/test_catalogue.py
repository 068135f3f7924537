"""Items that are put and deleted: at once, for good, in every loaded version, and the later change holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmesh.ops.process import StartError
from recmesh.v1.common_pb2 import Item
from services.common.sqlite import connect
from services.retrieval.changes import APPLICATION, FILE, MOST_VERSIONS, SCHEMA, Change, Vectors, write_changes
from tests.services.retrieval.conftest import Make
from tests.services.retrieval.kit import Replica, record, unit
from tests.services.tiny import FACTORS


def test_a_put_item_is_found_at_once(replica: Replica) -> None:
    assert replica.put(record("new", "Silent Running")) == 1
    assert replica.found("silent running") == ["new"]
    assert "new" in replica.search(factors=unit(FACTORS), sources=["ials"], count=30).item_ids


def test_a_deleted_item_is_gone_at_once(replica: Replica) -> None:
    assert replica.delete("i3", "unknown") == 1
    assert replica.titles("i3", "i4") == ["young wolf 4"]
    assert replica.delete("i3") == 0


def test_puts_and_deletions_survive_a_restart(make: Make) -> None:
    first = make()
    first.put(record("new", "Silent Running"))
    first.delete("i3")
    first.close()
    second = make()
    assert second.titles("new", "i3") == ["Silent Running"]
    assert second.found("silent running") == ["new"]


def test_a_damaged_log_is_named_with_the_remedy(make: Make, tmp_path: Path, bundle: Path) -> None:
    first = make()
    first.put(*(record(f"new{number}") for number in range(100)))
    first.close()
    content = bytearray((tmp_path / "a" / FILE).read_bytes())
    content[2 * 4_096 : 2 * 4_096 + 100] = b"\xff" * 100
    (tmp_path / "a" / FILE).write_bytes(content)
    with pytest.raises(StartError, match=r"catalogue\.sqlite is damaged \(.+\): remove it, and this replica gets"):
        Replica(tmp_path / "a", bundle)


@pytest.mark.parametrize("later_first", [False, True])
def test_the_later_change_holds_whatever_comes_first(replica: Replica, later_first: bool) -> None:
    puts = [record("new", "old title", changed=10.0), record("new", "new title", changed=20.0)]
    for each in reversed(puts) if later_first else puts:
        replica.put(each)
    assert replica.titles("new") == ["new title"]
    replica.delete("new", changed=15.0)
    assert replica.titles("new") == ["new title"]
    replica.delete("new", changed=25.0)
    replica.put(record("new", "late", changed=22.0))
    assert replica.titles("new") == []
    replica.put(record("new", "again", changed=30.0))
    assert replica.titles("new") == ["again"]


def test_an_item_can_be_put_before_and_after_its_deletion_by_the_clock(replica: Replica) -> None:
    replica.put(record("new", "one"))
    replica.now += 1
    replica.delete("new")
    replica.now += 1
    replica.put(record("new", "two"))
    assert replica.titles("new") == ["two"]


def test_an_item_stands_in_every_version_it_was_put_for(make: Make, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    replica = make(path=old)
    replica.put(record("new", "Silent Running", changed=10.0), version=old.name)
    replica.load(new.name)
    assert replica.found("silent", bundle_version=new.name) == ["new"]
    [without] = replica.get("new", bundle_version=new.name, include_vectors=True)
    assert not np.frombuffer(without.factors, "<f4").any()
    again = record("new", "Silent Running", changed=10.0)
    again.factors = unit(FACTORS, axis=1)
    replica.put(again, version=new.name)
    for bundle, axis in ((old, 0), (new, 1)):
        [found] = replica.get("new", bundle_version=bundle.name, include_vectors=True)
        assert found.factors == unit(FACTORS, axis)


def test_a_version_loaded_later_has_every_change(make: Make, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    replica = make(path=old)
    replica.put(record("new", "Silent Running"))
    replica.delete("i3")
    replica.load(new.name)
    assert [each.item.id for each in replica.get("new", "i3", bundle_version=new.name)] == ["new"]
    replica.delete("new")
    for bundle in two_versions:
        assert not replica.get("new", bundle_version=bundle.name)


def test_a_change_stored_while_a_version_loads_is_not_missed(make: Make, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    replica = make(path=old)
    built = replica.versions._build

    def slowly(bundle: object) -> object:
        made = built(bundle)  # type: ignore[arg-type]
        replica.put(record("new", "Silent Running"))
        return made

    replica.versions._build = slowly
    replica.load(new.name)
    assert replica.found("silent", bundle_version=new.name) == ["new"]


def test_changes_are_listed_in_order_with_their_vectors(replica: Replica, bundle: Path) -> None:
    replica.put(record("a", "one", changed=1.0), record("b", vectors=False, changed=2.0))
    replica.delete("i3", changed=3.0)
    replica.put(record("a", "two", changed=4.0))
    listed = replica.changes()
    assert [(each.item.id, each.item.title, each.deleted, each.changed) for each in listed] == [
        ("b", "b", False, 2.0),
        ("i3", "", True, 3.0),
        ("a", "two", False, 4.0),
    ]
    assert [bool(each.factors) for each in listed] == [False, False, True]
    assert [each.sequence for each in listed] == sorted({each.sequence for each in listed})
    assert [each.item.id for each in replica.changes(listed[0].sequence, limit=1)] == ["i3"]
    assert not replica.changes(listed[-1].sequence)
    assert not any(each.factors for each in replica.changes(version="other"))


def test_a_repeated_change_is_not_listed_again(replica: Replica) -> None:
    for _ in range(2):
        assert replica.put(record("a", changed=1.0)) == 1
    [only] = replica.changes()
    replica.put(record("a", changed=1.0))
    assert not replica.changes(only.sequence)


def test_a_log_begun_anew_continues_above_the_lost_one(make: Make) -> None:
    lost, anew = make("lost"), make("anew")
    lost.put(record("a"))
    anew.now += 1.0
    anew.put(record("b"))
    assert anew.changes()[0].sequence > lost.changes()[0].sequence


def test_vectors_of_forgotten_versions_are_let_go(tmp_path: Path) -> None:
    connection = connect(tmp_path / "log.sqlite", SCHEMA, APPLICATION)
    for number in range(MOST_VERSIONS + 2):
        write_changes([change("a", 1.0, {f"v{number}": (b"1234", b"1234")})], None, number, connection)
    kept = [row[0] for row in connection.execute("SELECT version FROM vectors ORDER BY sequence")]
    connection.close()
    assert kept == [f"v{number}" for number in range(2, MOST_VERSIONS + 2)]


def change(item_id: str, changed: float, vectors: dict[str, Vectors] | None = None, deleted: bool = False) -> Change:
    item = b"" if deleted else Item(id=item_id, title=str(changed)).SerializeToString()
    return Change(item_id, changed, deleted, item, vectors or {})


CHANGES = st.builds(
    change,
    st.sampled_from(["a", "b"]),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.dictionaries(st.sampled_from(["v", "w"]), st.just((b"1234", b"1234")), max_size=2),
)
DELETIONS = st.builds(change, st.sampled_from(["a", "b"]), st.sampled_from([1.0, 2.0, 3.0]), deleted=st.just(True))


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES | DELETIONS, max_size=8), st.randoms(use_true_random=False))
def test_replicas_end_alike_in_whatever_order_changes_come(changes: list[Change], rng: object) -> None:
    def outcome(order: list[Change]) -> list[tuple[object, ...]]:
        connection = connect(Path(":memory:"), SCHEMA, APPLICATION)
        for each in order:
            write_changes([each], None, 1, connection)
        rows = connection.execute("SELECT item_id, changed, deleted, item FROM changes ORDER BY item_id").fetchall()
        connection.close()
        return rows

    shuffled = list(changes)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert outcome(changes) == outcome(shuffled) == outcome(changes + shuffled)
