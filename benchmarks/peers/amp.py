"""AMP of Twisted: the trace an argument, a timer a call for its deadline, metrics around call and responder."""

from __future__ import annotations

import sys
import time
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.internet.threads import deferToThread
from twisted.protocols import amp

from benchmarks.peers.load import SECONDS, Cell, Observed, Tally, caller, cell_of, tell


class Echo(amp.Command):
    """A value of AMP holds up to 65,535 bytes."""

    arguments = [(b"value", amp.String()), (b"trace", amp.Unicode())]  # noqa: RUF012 - as AMP asks for it
    response = [(b"value", amp.String())]  # noqa: RUF012 - and this


class Answers(amp.CommandLocator):
    """Answers Echo."""

    def __init__(self, observed: Observed) -> None:
        super().__init__()
        self._observed = observed

    @Echo.responder
    def echo(self, value: bytes, trace: str) -> dict[str, bytes]:
        begin = time.monotonic()
        self._observed.traceparent(trace)
        self._observed.record(begin, "OK")
        return {"value": value}


async def _serve(reactor: Any) -> None:
    answers = Answers(Observed("rpc_server_call_duration_seconds"))
    factory = Factory.forProtocol(lambda: amp.AMP(locator=answers))
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    await deferToThread(sys.stdin.read)


async def _call(reactor: Any, port: int, server_pid: int) -> None:
    protocol = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), amp.AMP())
    protocol.transport.setTcpNoDelay(True)
    observed = Observed("rpc_client_call_duration_seconds")

    async def ask(value: bytes) -> None:
        begin = time.monotonic()
        code = "UNKNOWN"
        try:
            reply: Deferred[Any] = protocol.callRemote(Echo, value=value, trace=observed.traceparent())
            await reply.addTimeout(SECONDS, reactor)
            code = "OK"
        finally:
            observed.record(begin, code)

    while line := await deferToThread(sys.stdin.readline):
        cell = cell_of(line)
        tally = Tally(cell, server_pid)
        await gatherResults([Deferred.fromCoroutine(_caller(ask, cell, tally)) for _ in range(cell.in_flight)])
        tell(tally.figures())
    protocol.transport.loseConnection()


async def _caller(ask: Any, cell: Cell, tally: Tally) -> None:
    value = b"x" * cell.payload_bytes
    await caller(lambda: ask(value), tally)


def serve() -> None:
    react(lambda reactor: Deferred.fromCoroutine(_serve(reactor)))


def call(port: int, server_pid: int) -> None:
    react(lambda reactor: Deferred.fromCoroutine(_call(reactor, port, server_pid)))
