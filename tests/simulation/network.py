"""Network and Link: what lies between the policies of a caller and a simulated process."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from recmesh.rpc import Call, Origin, Processed, RpcError, Status
from recmesh.rpc.connection.base import KEEPALIVE_AFTER, KEEPALIVE_TIMEOUT, Deadlines
from recmesh.rpc.endpoint import (
    BACKOFF_FACTOR,
    BACKOFF_FIRST,
    BACKOFF_MOST,
    BACKOFF_SPREAD,
    CONNECT_TIMEOUT,
    SHORT_LIVED,
)
from tests.simulation.process import Process, outcome_of
from tests.simulation.reactor import Reactor

THERE_AND_BACK: Final = 0.001  # seconds, all of them on the way there: an event less a call


class Attempt:
    """A call on its way."""

    __slots__ = ("answer", "work")

    def __init__(self) -> None:
        self.answer: Deferred[Message | BaseException] = Deferred()
        self.work: Deferred[Message] | None = None  # of the process, once the call has arrived

    def end(self, outcome: Message | BaseException) -> None:
        if not self.answer.called:
            self.answer.callback(outcome)

    def withdraw(self) -> None:
        """Nobody wants its answer any more."""
        if self.work is not None:
            self.work.cancel()


class Network:
    """Carries attempts. Each ends exactly once: with its answer, at its deadline, or when its connection is lost."""

    def __init__(self, reactor: Reactor, on_sent: Callable[[float], object]) -> None:
        self.sent = 0
        self.open: dict[int, Attempt] = {}
        self._reactor = reactor
        self._on_sent = on_sent
        self._deadlines = Deadlines(reactor, self.open, self._expire)

    async def carry(self, link: Link, call: Call) -> Message:
        self.sent += 1
        self._on_sent(self._reactor.seconds())
        number, attempt, process = self.sent, Attempt(), link.process
        self.open[number] = link.open[number] = attempt
        if call.context.deadline is not None:
            self._deadlines.add(call.context.deadline, number)
        if not process.cut:
            delay = process.time_to_read(THERE_AND_BACK)
            self._reactor.callLater(delay, self._arrive, number, attempt, process, process.life, call)
        try:
            outcome = await attempt.answer
        finally:
            link.open.pop(number, None)
            if self.open.pop(number, None) is not None:  # the caller was cancelled
                attempt.withdraw()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _arrive(self, number: int, attempt: Attempt, process: Process, life: int, call: Call) -> None:
        if attempt.answer.called or process.life != life:
            return

        def answered(outcome: Any) -> None:
            if not process.cut and process.life == life and self.open.pop(number, None) is not None:
                attempt.end(outcome)

        attempt.work = Deferred.fromCoroutine(_answer(process, call))
        outcome_of(attempt.work, answered)

    def _expire(self, number: int) -> None:
        attempt = self.open.pop(number)
        attempt.withdraw()
        message = "no answer by the deadline"
        attempt.end(RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.MAYBE, origin=Origin.CLIENT))


async def _answer(process: Process, call: Call) -> Message:
    return await process.service(call)


class Link:
    """Leads from one caller to one process, as recmesh.rpc.tx.Endpoint does: connects at the first call, and again."""

    __slots__ = (
        "_connected",
        "_failures",
        "_life",
        "_network",
        "_reactor",
        "_rng",
        "_since",
        "open",
        "process",
        "state",
    )

    def __init__(self, reactor: Reactor, rng: random.Random, network: Network, process: Process) -> None:
        self.process = process
        self.state = "idle"
        self.open: dict[int, Attempt] = {}
        self._reactor = reactor
        self._rng = rng
        self._network = network
        self._connected: list[Deferred[RpcError | None]] = []  # of those who wait for it
        self._failures = 0
        self._since = 0.0
        self._life = 0  # of the process that is connected to

    async def __call__(self, call: Call) -> Message:
        if self.state not in ("ready", "draining"):
            await self._connect(call)
        return await self._network.carry(self, call)

    async def _connect(self, call: Call) -> None:
        if self.state == "backing off":
            raise _unsent(Status.UNAVAILABLE)
        if self.state == "idle":
            self.process.on_state.append(self._told)
            self._dial()
        waiting: Deferred[RpcError | None] = Deferred()
        self._connected.append(waiting)
        left = (call.context.deadline or float("inf")) - self._reactor.seconds()
        patience = self._reactor.callLater(min(left, 60.0), self._late, waiting)
        try:
            error = await waiting
        finally:
            if patience.active():
                patience.cancel()
        if error is not None:
            raise error

    def _late(self, waiting: Deferred[RpcError | None]) -> None:
        self._connected.remove(waiting)
        waiting.callback(_unsent(Status.DEADLINE_EXCEEDED))

    def _dial(self) -> None:
        self.state = "connecting"
        self._reactor.callLater(CONNECT_TIMEOUT if self.process.cut else THERE_AND_BACK, self._dialled)

    def _dialled(self) -> None:
        if self.process.cut or not self.process.listening:
            self._back_off()
            return
        self.state = "draining" if self.process.draining else "ready"
        self._since, self._life = self._reactor.seconds(), self.process.life
        self._wake(None)

    def _back_off(self) -> None:
        self.state = "backing off"
        delay = min(BACKOFF_MOST, BACKOFF_FIRST * BACKOFF_FACTOR ** min(self._failures, 50))
        self._failures += 1
        self._reactor.callLater(delay * self._rng.uniform(1 - BACKOFF_SPREAD, 1 + BACKOFF_SPREAD), self._dial)
        self._wake(_unsent(Status.UNAVAILABLE))

    def _wake(self, error: RpcError | None) -> None:
        waiting, self._connected = self._connected, []
        for each in waiting:
            if not each.called:
                each.callback(error)

    def _told(self) -> None:
        """Something has happened to the process."""
        if self.state not in ("ready", "draining"):
            return
        if self.process.cut:
            self._reactor.callLater(KEEPALIVE_AFTER + KEEPALIVE_TIMEOUT, self._missed, self._since)
        elif self.process.life != self._life:
            self._lost()
        elif self.process.draining:
            self.state = "draining"

    def _missed(self, since: float) -> None:
        """No byte has come for long, unless the connection is another by now."""
        if self.process.cut and self.state in ("ready", "draining") and self._since == since:
            self._lost()

    def _lost(self) -> None:
        for number, attempt in list(self.open.items()):
            self._network.open.pop(number, None)
            attempt.withdraw()
            attempt.end(RpcError(Status.UNAVAILABLE, "the connection was lost", processed=Processed.MAYBE))
        if self._reactor.seconds() - self._since >= SHORT_LIVED:
            self._failures = 0
            self._dial()
        else:
            self._back_off()


def _unsent(status: Status) -> RpcError:
    return RpcError(status, "there is no connection", processed=Processed.NOT_SENT, origin=Origin.CLIENT)
