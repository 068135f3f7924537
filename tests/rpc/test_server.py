"""The life of a server's connections: how many, how old, how idle, and how they end; with their clients, in memory."""

from __future__ import annotations

import logging
from math import inf
from pathlib import Path
from typing import Any

import pytest

from recmesh.rpc import Processed, RpcError, Status, server
from recmesh.rpc.endpoint import MAX_IDLE
from recmesh.rpc.server import AGE_SPREAD, ConnectionLimits
from recmesh.testing import begin
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.certificates import Authority
from tests.rpc.kit import SERVING, Health, ask, stub
from tests.rpc.memory import MemoryOutlet, Network


@pytest.fixture
def network() -> Network:
    return Network()


def call(network: Network, client: Any, name: str = "") -> Any:
    asked = begin(stub(client).check(ask(name)))
    network.move()
    return asked


def error_of(asked: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        asked.result()
    return caught.value


def test_peers_that_break_the_protocol_do_not_fill_the_log(
    network: Network, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    there = network.serve(health.handlers())
    for _ in range(100):
        line = there.accept(MemoryOutlet(network.clock), "a peer")
        line.data_received(b"\x89 is no preface")
        line.lost("closed")
    network.move()
    assert caplog.text.count("closed the connection of a peer") == 1


# Age.


def test_an_old_connection_gives_way_to_another_and_its_calls_are_answered(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), max_age=100.0, age_grace=30.0)
    client = network.client(there)
    slow = call(network, client, "wait")
    network.wait(100 * (1 + AGE_SPREAD))
    assert (client.state, there.connections) == ("ready", 2)
    assert call(network, client).result() == SERVING
    health.release()
    network.move()
    assert slow.result() == SERVING
    assert (client.state, there.connections, there.in_flight) == ("ready", 1, 0)


def test_under_load_the_changes_of_connection_lose_no_call(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), max_age=10.0, age_grace=5.0)
    clients = [network.client(there, f"client {n}") for n in range(5)]
    asked = []
    for _ in range(300):
        asked += [begin(stub(each).check(ask())) for each in clients]
        asked.append(begin(stub(clients[0]).check(ask("wait"))))
        network.wait(0.1, 0.1)
        health.release()
    network.move()
    assert [each.result() for each in asked] == [SERVING] * len(asked)
    assert there.connections == 5


def test_calls_of_an_old_connection_end_with_its_grace(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), max_age=100.0, age_grace=30.0)
    slow = call(network, network.client(there), "wait")
    network.wait(100 * (1 - AGE_SPREAD) + 29)
    assert not slow.done
    network.wait(100 * 2 * AGE_SPREAD + 2)
    assert error_of(slow).status == Status.UNAVAILABLE
    assert (health.cancelled, there.in_flight) == (1, 0)


def test_connections_of_one_moment_do_not_age_together(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), max_age=1_000.0)
    for n in range(20):
        call(network, network.client(there, f"client {n}", max_idle=inf))
    begun = network.clock.seconds()
    ends = sorted(timer.getTime() - begun for timer in network.clock.timers if timer.getTime() - begun > 700)
    assert len(set(ends)) == 20
    assert 900 <= ends[0] < ends[-1] <= 1_100


# Idleness.


def test_a_client_closes_a_connection_that_it_does_not_use(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    client = network.client(there)
    call(network, client)
    network.wait(MAX_IDLE - 1)
    assert client.state == "ready"
    network.wait(MAX_IDLE / 4 + 2)
    assert (client.state, there.connections) == ("idle", 0)
    network.wait(100)
    assert (client.state, there.connections) == ("idle", 0)
    assert call(network, client).result() == SERVING


def test_a_connection_with_a_call_is_in_use_however_long_that_takes(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), max_age=inf, max_idle=100.0)
    client = network.client(there, max_idle=50.0)
    slow = call(network, client, "wait")
    network.wait(500)
    health.release()
    network.move()
    assert slow.result() == SERVING and client.state == "ready"
    network.wait(70)
    assert client.state == "idle"


def test_a_server_closes_a_connection_that_nobody_uses(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), max_age=inf, max_idle=100.0)
    client = network.client(there, max_idle=inf)
    call(network, client)
    network.wait(99)
    first = set(there._open)
    assert len(first) == 1
    network.wait(27)
    assert not first & set(there._open)


# Number.


def test_clients_over_the_limit_are_told_and_may_call_elsewhere(
    network: Network, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    there = network.serve(health.handlers(), most=2)
    clients = [network.client(there, f"client {n}") for n in range(4)]
    first, second, third, fourth = [call(network, each) for each in clients]
    assert [first.result(), second.result()] == [SERVING] * 2
    for asked in (third, fourth):
        error = error_of(asked)
        assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.REFUSED)
        assert "the server has 2 connections, as many as it takes" in error.message
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert there.connections == 2


def test_room_for_a_client_comes_back_with_the_leaving_of_another(network: Network, health: Health) -> None:
    there = network.serve(health.handlers(), most=1)
    first, second = network.client(there, "first"), network.client(there, "second")
    call(network, first)
    call(network, second)
    begin(first.close())
    network.wait(3)
    assert call(network, second).result() == SERVING


def test_a_flood_over_the_limit_is_not_answered(
    network: Network, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TURNED_AWAY", 1)
    there = network.serve(health.handlers(), most=1)
    clients = [network.client(there, f"client {n}") for n in range(4)]
    asked = [begin(stub(each).check(ask())) for each in clients]
    network.clock.advance(0)
    assert len(there._lines) == 4
    network.move()
    assert len(there._lines) == 1
    assert [each.done and each.result() == SERVING for each in asked[:1]] == [True]
    assert "as many as it takes" in error_of(asked[1]).message
    assert all("closed" in error_of(each).message for each in asked[2:])


@pytest.mark.parametrize("wrong", [{"most": 0}, {"max_age": 0.0}, {"age_grace": -1.0}, {"max_idle": 0.0}])
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        ConnectionLimits(**wrong)


# The end of a server.


def test_a_server_that_will_stop_says_so_and_still_answers(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    before, during = network.client(there, "before"), network.client(there, "during")
    call(network, before)
    draining = begin(there.drain(20.0, accept_for=5.0))
    network.wait(1)
    assert (before.state, before.serving) == ("draining", False)
    assert call(network, before).result() == SERVING
    assert call(network, during).result() == SERVING and during.state == "draining"
    network.wait(6)
    assert draining.done and there.connections == 0
    assert error_of(call(network, before)).processed == Processed.NOT_SENT


def test_a_drain_waits_for_open_calls_and_no_longer_than_its_grace(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    client = network.client(there)
    slow = call(network, client, "wait")
    draining = begin(there.drain(20.0))
    network.wait(19)
    assert not draining.done and not slow.done
    network.wait(2)
    assert draining.done and error_of(slow).message == "the server has stopped"


def test_what_is_announced_reaches_those_who_come_later(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    before, after = network.client(there, "before"), network.client(there, "after")
    call(network, before)
    there.announce(True, wire.LoadReport(utilization=0.5, limit=20, inflight=7))
    call(network, after)
    for each in (before, after):
        assert each.load is not None and (each.load.limit, each.load.inflight) == (20, 7)
        assert each.state == "ready"


def test_nothing_is_left_of_a_server_that_has_closed(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    client = network.client(there)
    call(network, client, "wait")
    closing = begin(there.close())
    network.wait(1)
    begin(client.close())
    network.wait(1)
    assert closing.done and not network.clock.timers


def test_a_socket_that_opens_as_the_server_stops_is_closed(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    closing = begin(there.close())
    asked = begin(stub(network.connected(there)).check(ask()))
    network.move()
    assert closing.done and not there._lines and not health.asked
    assert error_of(asked).status == Status.UNAVAILABLE


def test_a_socket_that_opens_as_a_drain_begins_is_drained(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    call(network, network.client(there), "wait")
    draining = begin(there.drain(20.0))
    late = network.connected(there)
    assert call(network, late).result() == SERVING
    health.release()
    network.wait(2)
    assert draining.done


# TLS.


def test_a_handler_knows_the_principal_of_its_caller(network: Network, health: Health, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    there = network.serve(health.handlers(), tls=authority.member("ranking", hosts=["there"]))
    client = network.client(there, tls=authority.member("gateway"))
    assert call(network, client).result() == SERVING
    assert health.contexts[0].principal == "spiffe://mesh/gateway"


def test_a_principal_that_a_caller_writes_is_not_taken(network: Network, health: Health) -> None:
    there = network.serve(health.handlers())
    call(network, network.client(there))
    assert health.contexts[0].principal == ""


def test_the_wrong_client_is_told_why(network: Network, health: Health, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    only = authority.member("ranking", hosts=["there"], peers=("spiffe://mesh/gateway",))
    there = network.serve(health.handlers(), tls=only)
    error = error_of(call(network, network.client(there, tls=authority.member("stranger"))))
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.REFUSED)
    assert "spiffe://mesh/stranger is none of the peers expected here" in error.message
    assert there.connections == 0


def test_a_client_goes_to_no_server_that_it_does_not_know(network: Network, health: Health, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    there = network.serve(health.handlers(), tls=authority.member("ranking", hosts=["elsewhere"]))
    error = error_of(call(network, network.client(there, tls=authority.member("gateway"))))
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    assert "Hostname mismatch" in error.message and not health.asked


def test_a_plaintext_client_of_a_tls_port_is_told(network: Network, health: Health, tmp_path: Path) -> None:
    there = network.serve(health.handlers(), tls=Authority(tmp_path).member("ranking"))
    error = error_of(call(network, network.client(there)))
    assert error.processed == Processed.REFUSED and "this port requires TLS" in error.message
    assert not health.asked


def test_a_tls_client_of_a_plaintext_port_never_falls_back(network: Network, health: Health, tmp_path: Path) -> None:
    there = network.serve(health.handlers())
    client = network.client(there, tls=Authority(tmp_path).member("gateway"))
    error = error_of(call(network, client))
    assert error.processed == Processed.NOT_SENT and "during the TLS handshake" in error.message
    assert not health.asked


def test_new_certificates_are_used_and_open_connections_go_on(network: Network, health: Health, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    there = network.serve(health.handlers(), tls=authority.member("ranking", hosts=["there"]))
    client, other = (network.client(there, name, tls=authority.member("gateway")) for name in ("a", "b"))
    slow = call(network, client, "wait")
    (tmp_path / "ranking.crt").write_text("half")
    network.clock.advance(2)
    assert call(network, client).result() == SERVING
    assert call(network, other).result() == SERVING
    health.release()
    network.move()
    assert slow.result() == SERVING


def test_bytes_that_nobody_sealed_end_the_connection_and_its_calls(
    network: Network, health: Health, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    there = network.serve(health.handlers(), tls=authority.member("ranking", hosts=["there"]))
    client = network.client(there, tls=authority.member("gateway"))
    slow = call(network, client, "wait")
    network.sockets[0].up.sent += b"\x17\x03\x03\x00\x05hello"
    network.move()
    assert error_of(slow).processed == Processed.MAYBE
    assert (health.cancelled, there.connections, there.in_flight) == (1, 0, 0)


def test_a_handshake_that_never_ends_is_given_up(network: Network, health: Health, tmp_path: Path) -> None:
    there = network.serve(health.handlers(), tls=Authority(tmp_path).member("ranking"))
    slow = network.client(there, tls=Authority(tmp_path).member("gateway"))
    asked = begin(stub(slow).check(ask()))
    network.clock.advance(0)
    network.sockets[0].up.sent.clear()
    network.wait(4)
    assert "no TLS handshake within 3 s" in error_of(asked).message
    assert not there._lines
