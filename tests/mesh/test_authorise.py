"""Who may call what, by the principal of a certificate."""

from __future__ import annotations

from typing import Any

import pytest

from recmesh.mesh.authorise import MOST_KNOWN, Authorise, Rule, matches
from recmesh.rpc import Call, Context, Method, Processed, RpcError, Status, stack
from recmesh.testing import Script, begin
from recmesh.v1 import health_pb2 as pb

RULES = [
    Rule("spiffe://mesh/gateway", ("/recmesh.v1.Ranking/*",)),
    Rule("spiffe://mesh/retrieval-*", ("/recmesh.v1.Retrieval/Changes", "/recmesh.v1.Models/*")),
]
REPLY = pb.HealthCheckResponse()


def refused(principal: str, path: str) -> RpcError | None:
    method = Method(path, pb.HealthCheckRequest, pb.HealthCheckResponse)
    call = Call(method, pb.HealthCheckRequest(), Context(principal=principal))
    service = stack(Authorise(RULES), to=Script(REPLY))
    try:
        assert begin(service(call)).result() == REPLY  # type: ignore[arg-type]
    except RpcError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("principal", "path"),
    [
        ("spiffe://mesh/gateway", "/recmesh.v1.Ranking/Rank"),
        ("spiffe://mesh/retrieval-0-1", "/recmesh.v1.Retrieval/Changes"),
        ("spiffe://mesh/retrieval-0-1", "/recmesh.v1.Models/List"),
    ],
)
def test_a_rule_lets_in(principal: str, path: str) -> None:
    assert refused(principal, path) is None


@pytest.mark.parametrize(
    ("principal", "path"),
    [
        ("spiffe://mesh/gateway", "/recmesh.v1.Retrieval/Changes"),
        ("spiffe://mesh/gateway2", "/recmesh.v1.Ranking/Rank"),
        ("spiffe://mesh/gateway", "/recmesh.v1.RankingX/Rank"),
        ("spiffe://other/gateway", "/recmesh.v1.Ranking/Rank"),
        ("spiffe://mesh/retrieval-0-1", "/recmesh.v1.Retrieval/ChangesToo"),
    ],
)
def test_whom_no_rule_lets_in_is_refused_before_a_handler_saw_it(principal: str, path: str) -> None:
    error = refused(principal, path)
    assert error is not None
    assert (error.status, error.processed) == (Status.PERMISSION_DENIED, Processed.REFUSED)
    assert error.message == f"{principal} may not call {path}"


def test_a_caller_without_a_certificate_has_no_rights() -> None:
    error = refused("", "/recmesh.v1.Ranking/Rank")
    assert error is not None and error.status == Status.UNAUTHENTICATED


def test_health_is_for_everybody() -> None:
    assert refused("", "/grpc.health.v1.Health/Check") is None
    assert refused("spiffe://other/prober", "/grpc.health.v1.Health/Watch") is None


def test_a_star_alone_is_everybody_with_a_certificate() -> None:
    assert Rule("*", ("*",)).allows("spiffe://any/one", "/any.Thing/AtAll")
    assert refused("", "/recmesh.v1.Ranking/Rank") is not None


@pytest.mark.parametrize(
    ("principal", "methods"),
    [("", ("*",)), ("a*b", ("*",)), ("a", ()), ("a", ("",)), ("a", ("/*/Rank",)), ("**", ("a",))],
)
def test_a_pattern_that_would_not_do_what_it_seems_is_refused(principal: str, methods: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"is no pattern|names no method"):
        Rule(principal, methods)


def test_a_pattern_without_a_star_is_the_whole_text() -> None:
    assert matches("a", "a") and not matches("a", "ab") and matches("a*", "a") and matches("a*", "ab")


def test_answers_are_kept_within_bounds() -> None:
    authorise = Authorise(RULES)
    service = stack(authorise, to=Script())
    method = Method("/recmesh.v1.Ranking/Rank", pb.HealthCheckRequest, pb.HealthCheckResponse)
    for n in range(MOST_KNOWN + 10):
        asked: Any = begin(service(Call(method, pb.HealthCheckRequest(), Context(principal=f"spiffe://x/{n}"))))  # type: ignore[arg-type]
        with pytest.raises(RpcError):
            asked.result()
    assert len(authorise._known) <= MOST_KNOWN
