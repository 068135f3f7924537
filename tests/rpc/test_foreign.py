"""A client that is written from the protocol's document alone talks to the server."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from recmesh.rpc.frames import Limits
from recmesh.v1 import health_pb2 as pb
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.foreign import (
    ACK,
    CALL,
    CANCEL,
    CHECK,
    CRC,
    END,
    GOAWAY,
    HELLO,
    MESSAGE,
    MORE,
    PING,
    STATUS,
    WINDOW,
    Client,
    Frame,
    status,
)
from tests.rpc.kit import Health, Loopback, reactor, until


class ForeignTests(Loopback):
    async def talk(self, health: Health, work: Callable[[Client], Any], crc: bool = False, **options: Any) -> Any:
        server = await self.serve(health, **options)

        def main() -> Any:
            client = Client(server.address, crc)
            try:
                return work(client)
            finally:
                client.close()

        result = await deferToThread(main)
        await until(lambda: not server.connections)
        return result

    async def test_hello_then_a_call(self) -> None:
        def work(client: Client) -> None:
            client.ask(1, "films", timeout_us=5_000_000)  # before the server's HELLO was read
            hello = client.read()
            assert (hello.kind, hello.call, hello.payload) == (HELLO, 0, b"")
            said = wire.Hello.FromString(hello.meta)
            assert said.version_min <= 1 <= said.version_max and said.max_frame >= 65_536
            answer = client.read()
            assert answer.call == 1 and status(answer).code == 0
            assert pb.HealthCheckResponse.FromString(answer.payload).status == 1

        await self.talk(Health(), work)

    async def test_many_calls_many_answers_in_any_order(self) -> None:
        def work(client: Client) -> None:
            for call in range(1, 101, 2):
                client.ask(call, f"number {call}")
            assert client.read().kind == HELLO
            assert {client.read().call for _ in range(50)} == set(range(1, 101, 2))

        await self.talk(Health(), work)

    async def test_a_message_in_pieces_and_a_status_for_each_failure(self) -> None:
        def work(client: Client) -> None:
            assert client.read().kind == HELLO
            request = pb.HealthCheckRequest(service="x" * 200_000).SerializeToString()
            client.send(CALL, 1, wire.CallHeader(method=CHECK), request[:60_000], MORE)
            client.ask(3, "fail")
            client.send(MESSAGE, 1, None, request[60_000:120_000], MORE)
            client.send(CALL, 5, wire.CallHeader(method="/no.Such/Method"), b"", END)
            client.send(MESSAGE, 1, None, request[120_000:180_000], MORE)
            client.ask(7, "refuse")
            client.send(MESSAGE, 1, None, request[180_000:], END)
            answers = {frame.call: status(frame) for frame in (client.read() for _ in range(4))}
            codes = {call: (each.code, each.processed) for call, each in answers.items()}
            assert codes == {1: (0, wire.YES), 3: (2, wire.YES), 5: (12, wire.REFUSED), 7: (5, wire.YES)}
            assert "secret" not in answers[3].message and answers[7].pushback_ms == -1

        health = Health()
        await self.talk(health, work)
        assert health.asked[-1] == "x" * 200_000

    async def test_deadline_cancel_ping_and_what_may_be_ignored(self) -> None:
        health = Health()

        def work(client: Client) -> None:
            assert client.read().kind == HELLO
            client.ask(1, "wait", timeout_us=50_000)
            late = client.read()
            assert (late.call, status(late).code) == (1, 4)
            client.ask(3, "wait")
            client.send(CANCEL, 3, wire.Cancel(why=wire.Cancel.CALLER))
            client.send(0xA0, 12, None, b"of a later version")
            client.send(WINDOW, 0, None, struct.pack(">I", 1_000))
            client.send(PING, 0, None, b"8 bytes!")
            assert client.read() == Frame(PING, ACK, 0, b"", b"8 bytes!")
            client.send(CANCEL, 1, wire.Cancel(why=wire.Cancel.DEADLINE))  # crosses the status: no error
            client.ask(5, "")
            assert client.read().call == 5

        await self.talk(health, work)
        assert health.cancelled == 2

    async def test_a_checksum_on_every_frame_when_both_want_it(self) -> None:
        def work(client: Client) -> None:
            assert not client.read().flags & CRC
            client.ask(1, "")
            assert client.read().flags & CRC
            client.crc = False
            client.send(MESSAGE, 1, None, b"", CRC)  # says it has one, and has not
            goaway = wire.GoAway.FromString(client.read().meta)
            assert "CRC-32" in goaway.reason and goaway.last_call_id == 1
            assert client.stream.read() == b""

        await self.talk(Health(), work, crc=True, limits=Limits(crc=True))

    async def test_credit_comes_back_to_a_client_that_counts_it(self) -> None:
        """A client that sends no more than its window never stalls; this one counts the default of 4 MiB."""

        def work(client: Client) -> None:
            assert client.read().kind == HELLO
            window, call = 4 << 20, 1
            payload = pb.HealthCheckRequest(service="x" * 60_000).SerializeToString()
            answered = sent = 0
            while answered < 300:
                while sent < 300 and window >= len(payload):
                    client.send(CALL, call, wire.CallHeader(method=CHECK), payload, END)
                    window, call, sent = window - len(payload), call + 2, sent + 1
                frame = client.read_any()
                if frame.kind == WINDOW:
                    window += struct.unpack(">I", frame.payload)[0]
                answered += frame.kind == STATUS

        await self.talk(Health(), work)

    async def test_drain_says_goaway_twice_with_a_ping_between(self) -> None:
        health = Health()
        server = await self.serve(health)

        def work() -> list[Any]:
            client = Client(server.address)
            self.addCleanup(client.close)
            seen: list[Any] = []
            client.ask(1, "wait")
            while frame := client.read():
                if frame.kind == GOAWAY:
                    goaway = wire.GoAway.FromString(frame.meta)
                    seen.append((goaway.code, goaway.last_call_id))
                    if goaway.last_call_id == 3:
                        reactor.callFromThread(health.release)
                elif frame.kind == PING:
                    seen.append("ping")
                    client.ask(3, "crosses the first GOAWAY")
                    client.send(PING, 0, None, frame.payload, ACK)
                elif frame.kind == STATUS:
                    seen.append(("answer", frame.call, status(frame).code))
                    if frame.call == 1:
                        break
            assert client.stream.read() == b""
            client.close()
            return seen

        talking = deferToThread(work)
        await until(lambda: health.waiting)
        draining = Deferred.fromCoroutine(server.drain(10.0))
        assert await talking == [(0, 2**31 - 1), "ping", ("answer", 3, 0), (0, 3), ("answer", 1, 0)]
        await draining
