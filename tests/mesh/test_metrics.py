"""Metrics and AccessLog."""

from __future__ import annotations

import random

import pytest
from twisted.internet.task import Clock

from recmesh.mesh.access_log import AccessLog
from recmesh.mesh.metrics import Metrics
from recmesh.ops.registry import Registry
from recmesh.rpc import RpcError, Service, Status, stack, tx
from tests.mesh.kit import FOUND, LOST, Log, Outcome, Recorder, Script, never, search

METHOD = "/recmesh.v1.Retrieval/Search"


def measured(clock: Clock, recorder: Recorder, service: Service) -> Service:
    metrics = Metrics(tx.Clock(clock), recorder, "rpc_client_call_duration_seconds", "Calls.", upstream="retrieval")
    return stack(metrics, to=service)


def test_duration_method_and_code_of_every_call_are_recorded() -> None:
    clock, recorder, answer = Clock(), Recorder(), never()
    service = measured(clock, recorder, Script(answer, LOST, never(), KeyError("x")))
    first = Outcome(service(search()))
    clock.advance(0.25)
    answer.callback(FOUND)
    assert first.result() is FOUND
    Outcome(service(search())).error()
    Outcome(service(search())).cancel()
    with pytest.raises(KeyError):
        Outcome(service(search())).result()
    observed = recorder.observed["rpc_client_call_duration_seconds"]
    assert observed[0] == (0.25, {"upstream": "retrieval", "method": METHOD, "code": "OK"})
    assert [labels["code"] for _, labels in observed] == ["OK", "UNAVAILABLE", "CANCELLED", "UNKNOWN"]


def test_the_registry_of_a_process_is_a_recorder() -> None:
    registry = Registry()
    metrics = Metrics(tx.Clock(Clock()), registry, "rpc_server_call_duration_seconds", "Calls.")
    Outcome(stack(metrics, to=Script(FOUND))(search())).result()
    assert f'rpc_server_call_duration_seconds_count{{method="{METHOD}",code="OK"}} 1' in registry.render()


def logged(log: Log, service: Service, share: float = 0.0) -> Service:
    return stack(AccessLog(tx.Clock(Clock()), log, random.Random(1), share), to=service)


def test_a_failed_call_is_always_logged() -> None:
    log = Log()
    Outcome(
        logged(log, Script(RpcError(Status.NOT_FOUND, "no such item")))(search(trace=bytes(25), peer="a:1"))
    ).error()
    [line] = log.lines
    assert line == {
        "message": "call",
        "method": METHOD,
        "code": "NOT_FOUND",
        "milliseconds": 0.0,
        "peer": "a:1",
        "trace": "0" * 32,
        "reason": "no such item",
    }


def test_a_share_of_the_successful_calls_is_logged() -> None:
    log = Log()
    service = logged(log, Script(*[FOUND] * 200), share=0.5)
    for _ in range(200):
        Outcome(service(search())).result()
    assert 60 < len(log.lines) < 140


def test_a_cancelled_call_is_logged_as_such() -> None:
    log = Log()
    Outcome(logged(log, Script(never()))(search())).cancel()
    assert [line["code"] for line in log.lines] == ["CANCELLED"]
