"""Processes that come and go while the gateway answers."""

from __future__ import annotations

from recmesh.mesh.resolver import EndpointAddress, Static
from recmesh.rpc import Status
from recmesh.v1.common_pb2 import Item
from recmesh.v1.recommender_pb2 import PutItemsRequest, RecommendRequest, StatusRequest
from tests.gateway.kit import Mesh
from tests.gateway.test_recommend import FILMS

ASK = RecommendRequest(user_id="u")


def retrieval(mesh: Mesh, *shards: list[str]) -> None:
    """From now on retrieval has these."""
    mesh.resolvers[3].set(*Static.of(*([f"{name}:1" for name in shard] for shard in shards)).snapshot())


def addresses(mesh: Mesh) -> list[str]:
    status = mesh.answer(mesh.ask.status(StatusRequest()))
    return [
        end.address for upstream in status.upstreams if upstream.service == "retrieval" for end in upstream.endpoints
    ]


def test_a_replica_that_leaves_is_asked_no_more_and_one_that_joins_is() -> None:
    mesh = Mesh(FILMS, replicas=2)
    retrieval(mesh, ["0-1"], ["1-0"])
    mesh.down("0-0", "1-1")
    for _ in range(5):
        answer = mesh.answer(mesh.ask.recommend(ASK))
        assert (answer.shards_total, answer.shards_answered) == (2, 2)
    assert addresses(mesh) == ["0-1:1", "1-0:1"]
    put = mesh.answer(mesh.ask.put_items(PutItemsRequest(items=[Item(id="new", title="New")])))
    assert (put.replicas_asked, put.replicas_acknowledged) == (1, 1)
    retrieval(mesh, ["0-1", "0-0"], ["1-0"])
    assert addresses(mesh) == ["0-1:1", "0-0:1", "1-0:1"]


def test_the_version_is_that_of_the_processes_there_are() -> None:
    mesh = Mesh(FILMS, replicas=2)
    for name, models in mesh.models.items():
        if name != "0-0":
            models.versions["v2"] = 2.0
    mesh.poll()
    assert mesh.versions.current == "v1"
    retrieval(mesh, ["0-1"], ["1-0", "1-1"])
    mesh.poll()
    assert mesh.versions.current == "v2"
    retrieval(mesh, ["0-1", "0-0"], ["1-0", "1-1"])
    mesh.models["0-0"].versions["v2"] = 2.0
    mesh.poll()
    assert mesh.versions.current == "v2"


def test_a_service_without_any_endpoint_is_named() -> None:
    mesh = Mesh(FILMS)
    mesh.models["ranking"].versions = {"v2": 2.0}
    mesh.resolvers[0].set()
    mesh.poll()
    error = mesh.error(mesh.ask.recommend(ASK))
    assert error.status is Status.UNAVAILABLE
    assert "embedding has no known endpoint" in error.message


def test_status_shows_how_calls_to_each_service_go() -> None:
    mesh = Mesh(FILMS)
    mesh.answer(mesh.ask.recommend(ASK))
    for _ in range(5):
        (replica,) = mesh.upstreams.backends[0].replicas
        replica.health.failed("disk full", mesh.clock.seconds(), mesh.clock.seconds())
    mesh.resolvers[0].set(*(EndpointAddress(name, "embedding:1") for name in ("embedding:1", "twin")))
    first, twin = mesh.upstreams.backends[0].replicas
    twin.health.failed("disk full", mesh.clock.seconds(), mesh.clock.seconds())
    first.health.failed("disk full", mesh.clock.seconds(), mesh.clock.seconds())
    status = mesh.answer(mesh.ask.status(StatusRequest()))
    embedding = status.upstreams[0]
    assert (embedding.limit, embedding.in_flight, embedding.queued, embedding.throttle) == (1_024, 0, 0, 0.0)
    assert embedding.retry_budget > 9.0 and not embedding.panic  # one of two is usable
    one, other = embedding.endpoints
    assert (one.id, one.health, one.ejections) == ("embedding:1", "ejected", 1)
    assert one.cause == "6 failures in a row, the last: disk full"
    assert (other.id, other.health, other.cost_seconds < 0.1) == ("twin", "healthy", True)
