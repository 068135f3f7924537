"""Watch: whose pages come again, when, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred

from recmesh.rpc import RpcError, Status, Stream
from recmesh.testing import Begun, begin
from recmesh.v1 import common_pb2
from recmesh.v1 import recommender_pb2 as pb
from tests.gateway.fakes import DOWN, Film
from tests.gateway.kit import Mesh

FILMS = [Film(f"f{number}", f"Film {number}", popularity=float(9 - number)) for number in range(6)]


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    mesh = Mesh(FILMS)
    following = Deferred.fromCoroutine(mesh.gateway.watches.follow())
    following.addErrback(lambda failure: None)
    yield mesh
    following.cancel()


class Watcher:
    """Reads pages as they come."""

    def __init__(self, mesh: Mesh, user_id: str) -> None:
        self.mesh = mesh
        self.stream: Stream[pb.RecommendResponse] = mesh.ask.watch(
            pb.WatchRequest(request=pb.RecommendRequest(user_id=user_id, count=3))
        )
        self.next: Begun[pb.RecommendResponse] = begin(anext(self.stream))
        self.wait()

    def wait(self, seconds: float = 3.0) -> None:
        for _ in range(int(seconds / 0.05)):
            self.mesh.clock.advance(0.05)

    def page(self) -> list[str]:
        page = [item.id for item in self.next.result().items]
        self.next = begin(anext(self.stream))
        self.wait()
        return page


def happens(mesh: Mesh, user_id: str, item_id: str) -> None:
    """The user takes an item, and the feedback service says so."""
    mesh.history(user_id, item_id)
    mesh.feedback.told.append(common_pb2.Event(event_id=item_id, user_id=user_id, item_id=item_id))
    mesh.feedback.happened.ring()


def test_a_page_comes_at_once_and_again_when_something_happens_to_its_user(mesh: Mesh) -> None:
    watcher = Watcher(mesh, "ann")
    first = watcher.page()
    assert len(first) == 3 and not watcher.next.done
    happens(mesh, "bob", first[0])
    watcher.wait()
    assert not watcher.next.done
    happens(mesh, "ann", first[0])
    watcher.wait()
    assert first[0] not in watcher.page()


def test_an_event_that_changes_nothing_shows_nothing(mesh: Mesh) -> None:
    watcher = Watcher(mesh, "ann")
    watcher.page()
    mesh.feedback.told.append(common_pb2.Event(event_id="e", user_id="ann", item_id="unknown"))
    mesh.feedback.happened.ring()
    watcher.wait()
    assert not watcher.next.done


def test_events_that_come_together_are_one_page(mesh: Mesh) -> None:
    watcher = Watcher(mesh, "ann")
    first = watcher.page()
    before = len(mesh.ranking.requests)
    for item_id in first:
        happens(mesh, "ann", item_id)
    watcher.wait()
    assert watcher.next.done and len(mesh.ranking.requests) == before + 1


def test_a_lost_subscription_is_made_again_and_misses_nothing(mesh: Mesh) -> None:
    watcher = Watcher(mesh, "ann")
    first = watcher.page()
    mesh.wires["feedback"].fails = DOWN
    mesh.feedback.fail = True
    mesh.feedback.happened.ring()
    watcher.wait()
    mesh.wires["feedback"].fails, mesh.feedback.fail = None, False
    happens(mesh, "ann", first[0])
    watcher.wait(60.0)
    assert first[0] not in watcher.page()


def test_nobody_is_subscribed_for_when_nobody_watches(mesh: Mesh) -> None:
    assert mesh.feedback.subscribers == 0
    watcher = Watcher(mesh, "ann")
    watcher.page()
    assert mesh.feedback.subscribers == 1
    watcher.next.cancel()
    mesh.feedback.told.append(common_pb2.Event(event_id="e", user_id="bob", item_id="f1"))
    mesh.feedback.happened.ring()
    watcher.wait()
    assert mesh.feedback.subscribers == 0


def test_a_gateway_that_stops_ends_its_watches(mesh: Mesh) -> None:
    watcher = Watcher(mesh, "ann")
    watcher.page()
    mesh.gateway.watches.stop()
    watcher.wait()
    with pytest.raises(RpcError, match="watch at another") as caught:
        watcher.next.result()
    assert caught.value.status is Status.UNAVAILABLE


def test_somebody_must_be_watched(mesh: Mesh) -> None:
    request = pb.RecommendRequest(history=[pb.HistoryItem(item_id="f1")])
    with pytest.raises(RpcError, match=r"request\.user_id is empty") as caught:
        begin(anext(mesh.ask.watch(pb.WatchRequest(request=request)))).result()
    assert caught.value.status is Status.INVALID_ARGUMENT


def test_a_page_is_counted_among_the_calls_below_those_somebody_waits_for(mesh: Mesh) -> None:
    watcher = Watcher(mesh, "ann")
    watcher.page()
    [call] = mesh.admitted
    assert call.method.path.endswith("/Recommend") and call.context.criticality == 3


def test_a_page_for_which_there_is_no_room_comes_later(mesh: Mesh) -> None:
    mesh.no_room = [200, 100]
    watcher = Watcher(mesh, "ann")
    assert len(watcher.page()) == 3 and len(mesh.admitted) == 3
    mesh.no_room = [50]
    happens(mesh, "ann", "f0")
    watcher.wait()
    assert "f0" not in watcher.page()
