"""Edge: what is taken from a client's call."""

from __future__ import annotations

from google.protobuf.message import Message

from gateway.edge import Edge
from recmesh.rpc import Call, Context, Method, stack
from recmesh.v1 import recommender_pb2 as pb
from recmesh.v1.recommender_rpc import RECOMMENDER_RECOMMEND, RECOMMENDER_STATUS
from tests.mesh.kit import Outcome, Script

SHOP = "spiffe://example.org/shop"


def through(context: Context, method: Method[pb.RecommendRequest, Message] = RECOMMENDER_RECOMMEND) -> Context:  # type: ignore[assignment]
    service = Script(pb.RecommendResponse())
    Outcome(stack(Edge([SHOP]), to=service)(Call(method, method.request(), context))).result()
    return service.calls[0].context


def test_criticality_and_metadata_of_the_meshs_own_are_taken_from_a_client() -> None:
    given = Context(
        5.0,
        {"x-recmesh-affinity": "a", "X-RecMesh-Principal": "root", "x-request-id": "7"},
        b"t" * 25,
        "vendor=1",
        criticality=1,
        attempt=2,
        peer="10.0.0.1:9",
    )
    seen = through(given)
    assert (seen.criticality, dict(seen.metadata)) == (0, {"x-request-id": "7"})
    assert (seen.deadline, seen.trace, seen.tracestate) == (5.0, b"t" * 25, "vendor=1")
    assert (seen.attempt, seen.peer) == (2, "10.0.0.1:9")


def test_who_is_trusted_is_believed() -> None:
    given = Context(metadata={"x-recmesh-affinity": "a"}, criticality=4, principal=SHOP)
    assert through(given) is given


def test_another_principal_is_not() -> None:
    assert through(Context(criticality=1, principal=SHOP + "/other")).criticality == 0
    assert through(Context(criticality=1)).criticality == 0


def test_a_call_with_nothing_to_take_passes_as_it_is() -> None:
    given = Context(metadata={"x-request-id": "7"})
    assert through(given) is given


def test_status_is_answered_while_all_else_is_refused() -> None:
    assert through(Context(criticality=4), RECOMMENDER_STATUS).criticality == 1  # type: ignore[arg-type]
