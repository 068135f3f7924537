"""Calls on a plain socket, without a loop, against a Twisted server in another thread."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import closing
from threading import Event, Thread
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from recmesh.rpc import Context, Processed, RpcError, Status, frames
from recmesh.rpc.blocking import Endpoint, run
from recmesh.rpc.blocking import line as blocking_line
from recmesh.rpc.connection.base import KEEPALIVE_PING
from recmesh.rpc.frames import encode
from recmesh.testing import frames_of, goaway_frame, hello_frame, ping_frame, status_frame
from recmesh.v1 import health_pb2 as pb
from tests.rpc.kit import SERVING, Health, Loopback, ask, reactor, stub, until


def check(endpoint: Endpoint, name: str = "", timeout: float | None = None) -> pb.HealthCheckResponse:
    deadline = None if timeout is None else time.monotonic() + timeout
    return run(stub(endpoint).check(ask(name), Context(deadline=deadline)))


def failure(endpoint: Endpoint, name: str = "", timeout: float | None = None) -> RpcError:
    with pytest.raises(RpcError) as caught:
        check(endpoint, name, timeout)
    return caught.value


class OverASocket(Loopback):
    async def in_thread(self, health: Health, work: Callable[[Endpoint], Any], **options: Any) -> Any:
        server = await self.serve(health, **options)

        def main() -> Any:
            endpoint = Endpoint(server.address, node_id="blocking")
            try:
                return work(endpoint)
            finally:
                run(endpoint.close())

        return await deferToThread(main)

    async def test_calls_one_after_another_over_one_connection(self) -> None:
        health = Health()

        def work(endpoint: Endpoint) -> Any:
            return [check(endpoint) for _ in range(50)], endpoint.state, endpoint.peer and endpoint.peer.node_id

        assert await self.in_thread(health, work, node_id="s") == ([SERVING] * 50, "ready", "s")
        assert len({context.peer for context in health.contexts}) == 1

    async def test_a_large_request(self) -> None:
        assert await self.in_thread(Health(), lambda endpoint: check(endpoint, "x" * 4_000_000)) == SERVING

    async def test_a_status(self) -> None:
        error = await self.in_thread(Health(), lambda endpoint: failure(endpoint, "refuse"))
        assert (error.status, error.processed) == (Status.NOT_FOUND, Processed.YES)

    async def test_a_deadline_cancels_and_the_connection_lives_on(self) -> None:
        health = Health()

        def work(endpoint: Endpoint) -> Any:
            error = failure(endpoint, "wait", 0.05)
            return error.status, check(endpoint, timeout=10)

        assert await self.in_thread(health, work) == (Status.DEADLINE_EXCEEDED, SERVING)  # whichever end is first
        assert len({context.peer for context in health.contexts}) == 1 and health.cancelled == 1

    async def test_two_threads_on_one_endpoint_are_told(self) -> None:
        health = Health()

        def work(endpoint: Endpoint) -> Any:
            other = Thread(target=lambda: check(endpoint, "wait"))
            other.start()
            while not health.waiting:
                time.sleep(0.001)
            error = failure(endpoint)
            reactor.callFromThread(health.release)
            other.join()
            return error.status, error.processed, error.message

        assert await self.in_thread(health, work) == (
            Status.FAILED_PRECONDITION,
            Processed.NOT_SENT,
            "this client is in use; give each thread its own",
        )

    async def test_a_server_that_has_gone_is_found_out_before_the_next_call(self) -> None:
        first = await self.serve(Health())
        endpoint = Endpoint(first.address)
        assert await deferToThread(check, endpoint) == SERVING
        await first.drain(5.0)
        error = await deferToThread(failure, endpoint)
        assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
        await deferToThread(run, endpoint.close())

    async def test_a_connection_lost_during_a_call(self) -> None:
        health = Health()
        server = await self.serve(health)
        endpoint = Endpoint(server.address)
        asked = deferToThread(failure, endpoint, "wait")
        await until(lambda: health.waiting)
        await server.close()
        error = await asked
        assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.YES)
        run(endpoint.close())


class Fake:
    """A server of bytes alone, for one client: sends `script` after the client's first bytes, then reads on.

    The last of it is sent when `patience` bytes were read.
    """

    def __init__(self, *script: bytes, patience: int = 0) -> None:
        self._patience = patience
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.read = bytearray()
        self._thread = Thread(target=self._serve, args=script, daemon=True)
        self._thread.start()

    def _serve(self, *script: bytes) -> None:
        with closing(self._listener), closing(self._listener.accept()[0]) as sock:
            self.read += sock.recv(65_536)
            for place, data in enumerate(script):
                while place == len(script) - 1 and len(self.read) < self._patience:
                    self.read += sock.recv(65_536)
                sock.sendall(data)
            while script and (data := sock.recv(65_536)):
                self.read += data

    def join(self) -> bytes:
        self._thread.join()
        return bytes(self.read)


ANSWER = status_frame(1, payload=SERVING.SerializeToString())


def outcome(*script: bytes, name: str = "", timeout: float | None = None, patience: int = 0) -> tuple[Any, bytes]:
    """What a call of a fake server comes to, and what the server read."""
    fake = Fake(*script, patience=patience)
    endpoint = Endpoint(fake.address)
    try:
        result: Any = check(endpoint, name, timeout)
    except RpcError as error:
        result = error
    run(endpoint.close())
    return result, fake.join()


def test_frames_in_any_pieces_are_understood() -> None:
    script = [bytes([byte]) for byte in hello_frame() + ping_frame(b"pingpong") + ANSWER]
    result, read = outcome(*script)
    assert result == SERVING and ping_frame(b"pingpong", ack=True) in read


def test_a_request_over_the_servers_window_goes_on_when_credit_comes() -> None:
    request, credit = ask("x" * 600_000), encode(frames.WINDOW, 1, payload=(1 << 20).to_bytes(4, "big"))
    size = len(request.SerializeToString())
    for script, sent in (([hello_frame()], frames.DEFAULT_CALL_WINDOW), ([hello_frame(), credit, ANSWER], size)):
        timeout, patience = (0.3, 0) if sent < size else (None, size)
        result, read = outcome(*script, name=request.service, timeout=timeout, patience=patience)
        assert sum(len(frame[4]) for frame in frames_of(read) if frame[2] == 1) == sent
        assert result == SERVING if sent == size else result.status == Status.DEADLINE_EXCEEDED


def test_a_ping_between_two_calls_is_answered_and_the_connection_kept() -> None:
    answered, pinged = Event(), Event()
    answers: list[Any] = []

    def calls() -> None:
        answers.append(check(endpoint, timeout=20))
        answered.set()
        pinged.wait()
        answers.append(check(endpoint, timeout=20))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint(f"127.0.0.1:{listener.getsockname()[1]}")
        calling = Thread(target=calls)
        calling.start()
        with closing(listener.accept()[0]) as sock:
            sock.recv(65_536)
            sock.sendall(hello_frame() + ANSWER)
            answered.wait()
            sock.sendall(ping_frame(b"pingpong"))
            pinged.set()
            read = b""
            while struct.pack(">II", 3, 0) not in read:  # call 3, without CRC
                data = sock.recv(65_536)
                assert data, "the client went away"
                read += data
            assert read.startswith(ping_frame(b"pingpong", ack=True))
            sock.sendall(status_frame(3, payload=SERVING.SerializeToString()))
            calling.join()
            run(endpoint.close())
    assert answers == [SERVING, SERVING]


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e12])
def test_a_deadline_out_of_sight_is_none(timeout: float | None) -> None:
    result, _ = outcome(hello_frame(), ANSWER, timeout=timeout)
    assert result == SERVING


def test_a_server_that_closes_loses_the_call() -> None:
    error, _ = outcome()
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.MAYBE)
    assert "the server closed it" in error.message


def test_a_server_that_breaks_the_protocol_is_told() -> None:
    error, read = outcome(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert error.status == Status.UNAVAILABLE and "the peer broke the protocol" in error.message
    assert b"is over the limit" in read


def test_a_goaway_that_leaves_the_call_out_refuses_it() -> None:
    error, _ = outcome(hello_frame(), goaway_frame(0, reason="drain"))
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.REFUSED)


def test_a_silent_server_loses_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking_line, "HANDSHAKE_TIMEOUT", 0.05)
    error, _ = outcome(b"\0")
    assert error.status == Status.UNAVAILABLE and "no HELLO within" in error.message


def test_a_dead_server_is_found_out_by_a_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking_line, "KEEPALIVE_AFTER", 0.05)
    monkeypatch.setattr(blocking_line, "KEEPALIVE_TIMEOUT", 0.05)
    error, read = outcome(hello_frame())
    assert error.status == Status.UNAVAILABLE and "a PING was not answered" in error.message
    assert ping_frame(KEEPALIVE_PING) in read


def test_a_server_that_does_not_read_does_not_outlast_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        endpoint = Endpoint(f"127.0.0.1:{listener.getsockname()[1]}")
        error = failure(endpoint, "x" * 4_000_000, 0.2)
        assert error.status == Status.DEADLINE_EXCEEDED
        run(endpoint.close())


def test_an_answer_before_hello_is_an_error() -> None:
    error, _ = outcome(ANSWER)
    assert "a frame of type 0x04 before HELLO" in error.message


def test_a_deadline_that_has_passed_connects_nowhere() -> None:
    error = failure(Endpoint("127.0.0.1:9"), timeout=0.0)
    assert (error.status, error.processed) == (Status.DEADLINE_EXCEEDED, Processed.NOT_SENT)


def test_what_waits_for_a_loop_says_so() -> None:
    async def waits() -> None:
        await Deferred()

    with pytest.raises(RuntimeError, match="waits for an event loop, and here is none"):
        run(waits())


def test_the_first_bytes_are_those_of_the_contract() -> None:
    _, read = outcome(hello_frame(), ANSWER)
    assert read[:8] == bytes.fromhex("89524d570d0a1a0a")
    assert struct.unpack_from(">IBB", read, 8)[1] == 1
