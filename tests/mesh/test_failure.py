"""What an error says of the endpoint and of trying again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import defer

from recmesh.mesh.failure import code_of, endpoint_failed, endpoint_refused, may_repeat
from recmesh.rpc import Method, Origin, Processed, RpcError, Status
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse

UNSAFE, IDEMPOTENT, READING = (
    Method("/x.X/Y", SearchRequest, SearchResponse, idempotent=idempotent, read_only=read_only)
    for idempotent, read_only in ((False, False), (True, False), (True, True))
)

errors = st.builds(
    RpcError,
    st.sampled_from([status for status in Status if status]),
    processed=st.sampled_from(Processed),
    origin=st.sampled_from(Origin),
    pushback_ms=st.none() | st.integers(-1, 1000),
)


@pytest.mark.parametrize("method", [UNSAFE, IDEMPOTENT, READING])
@pytest.mark.parametrize("processed", [Processed.NOT_SENT, Processed.REFUSED])
def test_what_no_handler_saw_may_always_be_repeated(method: Method[Any, Any], processed: Processed) -> None:
    assert may_repeat(method, RpcError(Status.UNAVAILABLE, processed=processed))


@pytest.mark.parametrize(
    "error",
    [
        RpcError(Status.UNAVAILABLE, processed=Processed.MAYBE),
        RpcError(Status.DEADLINE_EXCEEDED, processed=Processed.MAYBE),
        RpcError(Status.RESOURCE_EXHAUSTED, pushback_ms=0),
    ],
)
def test_what_may_have_run_is_repeated_only_where_that_is_safe(error: RpcError) -> None:
    assert may_repeat(IDEMPOTENT, error) and may_repeat(READING, error)
    assert not may_repeat(UNSAFE, error)


def test_of_what_a_handler_answered_only_that_it_is_unavailable_is_repeated() -> None:
    assert may_repeat(READING, RpcError(Status.UNAVAILABLE, processed=Processed.YES))
    assert may_repeat(IDEMPOTENT, RpcError(Status.UNAVAILABLE, processed=Processed.YES))
    assert not may_repeat(UNSAFE, RpcError(Status.UNAVAILABLE, processed=Processed.YES))
    assert not may_repeat(READING, RpcError(Status.INTERNAL, processed=Processed.YES))
    assert not may_repeat(READING, RpcError(Status.RESOURCE_EXHAUSTED))


@given(errors)
def test_an_unsafe_call_is_repeated_only_if_no_handler_saw_it(error: RpcError) -> None:
    if may_repeat(UNSAFE, error):
        assert error.processed in (Processed.NOT_SENT, Processed.REFUSED)


@given(errors)
def test_who_says_do_not_retry_is_obeyed(error: RpcError) -> None:
    if error.pushback_ms == -1:
        assert not may_repeat(READING, error)


@given(errors)
def test_codes_of_applications_are_neither_repeated_nor_held_against_the_endpoint(error: RpcError) -> None:
    if error.status in (
        Status.INVALID_ARGUMENT,
        Status.NOT_FOUND,
        Status.ALREADY_EXISTS,
        Status.PERMISSION_DENIED,
        Status.FAILED_PRECONDITION,
        Status.ABORTED,
        Status.OUT_OF_RANGE,
        Status.UNAUTHENTICATED,
    ):
        assert not may_repeat(READING, error) and not endpoint_failed(error)


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (RpcError(Status.UNAVAILABLE, processed=Processed.NOT_SENT), True),
        (RpcError(Status.UNAVAILABLE, processed=Processed.MAYBE), True),
        (RpcError(Status.UNAVAILABLE, processed=Processed.REFUSED), False),
        (RpcError(Status.INTERNAL), True),
        (RpcError(Status.DEADLINE_EXCEEDED), True),
        (RpcError(Status.UNKNOWN, origin=Origin.SERVER), True),
        (RpcError(Status.UNKNOWN, origin=Origin.APP), False),
        (RpcError(Status.CANCELLED), False),
    ],
)
def test_which_failures_are_the_endpoints(error: RpcError, failed: bool) -> None:
    assert endpoint_failed(error) is failed


@given(errors)
def test_who_refuses_has_not_failed(error: RpcError) -> None:
    if error.processed is Processed.REFUSED:
        assert not endpoint_failed(error)
        assert endpoint_refused(error) is (error.status in (Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED))
    else:
        assert not endpoint_refused(error)


def test_names_of_codes() -> None:
    assert code_of(None) == "OK"
    assert code_of(RpcError(Status.NOT_FOUND)) == "NOT_FOUND"
    assert code_of(defer.CancelledError()) == code_of(asyncio.CancelledError()) == "CANCELLED"
    assert code_of(KeyError("x")) == "UNKNOWN"
