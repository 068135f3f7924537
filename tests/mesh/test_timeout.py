"""Timeout."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from recmesh.mesh.timeout import Timeout
from recmesh.rpc import Context, Processed, Status, stack, tx
from tests.mesh.kit import FOUND, Outcome, Script, never, search


def test_a_call_ends_after_the_seconds_and_what_stands_behind_is_cancelled() -> None:
    clock, answer = Clock(), never()
    reply = Outcome(stack(Timeout(tx.Clock(clock), 1.0), to=Script(answer))(search()))
    clock.advance(0.99)
    assert reply.pending
    clock.advance(0.01)
    assert reply.error().status is Status.DEADLINE_EXCEEDED
    assert answer.called


@pytest.mark.parametrize(("given", "seen"), [(None, 12.0), (11.0, 11.0), (99.0, 15.0)])
def test_the_service_behind_sees_the_sooner_deadline(given: float | None, seen: float) -> None:
    clock, service = Clock(), Script(FOUND)
    clock.advance(10.0)
    assert Outcome(stack(Timeout(tx.Clock(clock), 5.0, usual=2.0), to=service)(search(given))).result() is FOUND
    assert service.calls[0].context.deadline == seen


def test_a_call_whose_time_is_up_is_not_made() -> None:
    clock, service = Clock(), Script()
    clock.advance(10.0)
    error = Outcome(stack(Timeout(tx.Clock(clock), 5.0), to=service)(search(10.0))).error()
    assert (error.status, error.processed) == (Status.DEADLINE_EXCEEDED, Processed.NOT_SENT)
    assert "/recmesh.v1.Retrieval/Search" in error.message
    assert not service.calls


def test_no_timer_is_left_behind() -> None:
    clock = Clock()
    Outcome(stack(Timeout(tx.Clock(clock), 5.0), to=Script(FOUND))(search())).result()
    assert not clock.getDelayedCalls()


def test_a_deadline_shrinks_from_hop_to_hop_and_never_grows() -> None:
    clock, context = tx.Clock(Clock()), Context(deadline=2.0)
    for _ in range(3):
        service = Script(FOUND)
        before = context.deadline or 0.0
        Outcome(stack(Timeout(clock, 30.0), to=service)(search(context.child(0.0).deadline))).result()
        context = service.calls[0].context
        assert before - 0.0201 <= (context.deadline or 0.0) < before
