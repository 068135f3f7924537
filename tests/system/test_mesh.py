"""What a user of the whole mesh sees, every process real and none of them harmed."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recmesh.client import Event, Item, Recommendations, RpcError, Status, aio, blocking
from tests.system.mesh import ROOT, Mesh

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]  # the first to run waits for the fit


def ids(answer: Recommendations) -> list[str]:
    return [each.id for each in answer.items]


@pytest.mark.parametrize(("amount", "count"), [(100, 20), (3, 1_000)])
def test_the_mesh_gives_the_lists_of_the_batch_command(
    bundle: Path, client: blocking.Client, tmp_path: Path, amount: int, count: int
) -> None:
    users = [str(number) for number in range(1, 611, 6)][:amount]
    (tmp_path / "users.txt").write_text("\n".join(users) + "\n")
    command = [sys.executable, "-m", "training", "recommend", str(bundle), "--users", str(tmp_path / "users.txt")]
    subprocess.run([*command, "--count", str(count), "--out", str(tmp_path / "lists.tsv")], cwd=ROOT, check=True)
    lists = [line.split("\t") for line in (tmp_path / "lists.tsv").read_text().splitlines()]
    assert [each[0] for each in lists] == users
    for user, *expected in lists:
        assert len(expected) == count
        assert ids(client.recommend(user, count=count)) == expected, f"user {user}"


def test_pages_are_the_whole_list_in_pieces(client: blocking.Client) -> None:
    whole = ids(client.recommend("7", count=1_000))
    assert ids(client.recommend("7", count=10)) == whole[:10]
    assert [
        page for offset in range(0, 1_000, 100) for page in ids(client.recommend("7", count=100, offset=offset))
    ] == whole


def test_a_recorded_event_changes_the_next_answer(client: blocking.Client) -> None:
    client.record([Event("newcomer", item_id, type="like") for item_id in ("541", "1240")])
    before = client.recommend("newcomer", count=10)
    assert before.personalized
    client.record([Event("newcomer", item_id, type="like") for item_id in ("1", "6377", "4886")])
    after = client.recommend("newcomer", count=10)
    assert ids(after) != ids(before)
    assert not {"541", "1240", "1", "6377", "4886"} & set(ids(after))


def test_an_event_that_is_sent_twice_is_stored_once(client: blocking.Client) -> None:
    event = Event("twice", "1", type="like", event_id="the-same")
    assert client.record(event).recorded == 1
    again = client.record(event)
    assert (again.recorded, again.duplicates) == (0, 1)
    assert len(client.history("twice").events) == 1


def test_a_put_item_is_found_by_its_text_and_recommended(client: blocking.Client) -> None:
    text = "A detective hunts an android through a rainy city of the future, and doubts that he is human himself."
    put = Item("put-1", title="Rain over Replicants", text=text, categories=["Sci-Fi", "Thriller"])
    stored = client.put_items(put)
    assert stored.replicas_acknowledged == stored.replicas_asked == 2
    try:
        assert client.search("android detective rainy city", count=5).items[0].id == "put-1"
        assert client.search("Rain over Replicants", count=1).items[0].title == "Rain over Replicants"
        fans = client.recommend(history=["541", "1240", "2571", "589"], count=10, explain=True)
        [fresh] = [each for each in fans.items if each.id == "put-1"]
        assert "new" in fresh.sources and fresh.reasons
    finally:
        assert client.delete_items("put-1").deleted == 1
    assert "put-1" not in [each.id for each in client.search("Rain over Replicants").items]


def test_seen_items_are_left_out_unless_wanted(client: blocking.Client) -> None:
    seen = {each.event.item_id for each in client.history("1", count=1000).events}
    assert len(seen) > 200
    assert not seen & set(ids(client.recommend("1", count=100)))
    assert seen & set(ids(client.recommend("1", count=100, exclude_seen=False)))


def test_a_filter_and_exclusions_hold(client: blocking.Client) -> None:
    wanted = 'categories has "Animation" and year >= 1995'
    first = ids(client.recommend("1", count=10, filter=wanted))
    assert len(first) == 10
    without = ids(client.recommend("1", count=10, filter=wanted, exclude=first[:3]))
    assert len(without) == 10
    assert not set(first[:3]) & set(without)
    assert set(first[3:]) <= set(without)


def test_an_unknown_user_gets_popular_items_and_is_told_so(client: blocking.Client) -> None:
    answer = client.recommend("nobody ever heard of \N{SNOWMAN}", count=10, explain=True)
    assert not answer.personalized and len(answer.items) == 10
    assert {each.reasons[0].kind for each in answer.items} == {"popularity"}
    assert not client.history("nobody ever heard of \N{SNOWMAN}").known


def test_a_deleted_user_is_forgotten(client: blocking.Client) -> None:
    assert client.recommend("600").personalized
    client.record(Event("600", "1", type="like"))
    assert client.delete_user("600").events_deleted >= 1
    assert not client.history("600").known
    assert not client.recommend("600").personalized


def test_films_like_alien(client: blocking.Client) -> None:
    answer = client.similar("1214", count=10, explain=True)
    assert answer.title == "Alien"
    assert "Aliens" in [each.title for each in answer.items]
    assert all(each.reasons for each in answer.items)


def test_status_names_every_process(client: blocking.Client, mesh: Mesh) -> None:
    client.recommend("1")
    status = client.status()
    assert status.serving and status.bundle_version
    addresses = [end.address for upstream in status.upstreams for end in upstream.endpoints]
    assert len(addresses) == len(mesh.pids) - 1
    assert {end.bundle_versions for up in status.upstreams for end in up.endpoints} == {(status.bundle_version,)}


@pytest.mark.parametrize(
    ("request_fields", "named"),
    [
        ({"user_id": "1", "count": 0}, "count"),
        ({"user_id": "1", "count": -1}, "count"),
        ({"user_id": "1", "count": 10**9}, "count"),
        ({"user_id": "x" * 257}, "user_id"),
        ({}, "user_id"),
        ({"user_id": "1", "filter": "year >="}, "filter"),
        ({"user_id": "1", "diversity": 2.0}, "diversity"),
        ({"user_id": "1", "offset": -1}, "offset"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    client: blocking.Client, request_fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(RpcError) as caught:
        client.recommend(**request_fields)
    assert caught.value.status == Status.INVALID_ARGUMENT
    assert named in caught.value.message


def test_an_unknown_item_is_named(client: blocking.Client) -> None:
    with pytest.raises(RpcError, match="no-such-film") as caught:
        client.similar("no-such-film")
    assert caught.value.status == Status.NOT_FOUND


def test_asyncio_gives_the_same_answer(mesh: Mesh, client: blocking.Client) -> None:
    async def ask() -> Recommendations:
        async with aio.Client(mesh.gateway) as other:
            return await other.recommend("42", count=10)

    assert ids(asyncio.run(ask())) == ids(client.recommend("42", count=10))


def test_the_command_line_gives_the_same_answer(mesh: Mesh, client: blocking.Client) -> None:
    command = [sys.executable, "-m", "recmesh.cli", "--gateway", mesh.gateway, "--json", "recommend", "42", "-n", "10"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert [each["id"] for each in said["items"]] == ids(client.recommend("42", count=10))


@pytest.mark.parametrize("loop", ["blocking", "aio", "tx"])
def test_the_readmes_program_runs(mesh: Mesh, loop: str) -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    [program] = [each for each in programs if f"recmesh.client.{loop}" in each]
    command = [sys.executable, "-W", "error", "-c", program.replace("127.0.0.1:7000", mesh.gateway)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) > 3
