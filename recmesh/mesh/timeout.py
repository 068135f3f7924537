"""Deadline, Attempt and Timeout: a call is answered in time or not at all.

They protect a caller from an answer that never comes, and a process from working for callers who have gone. A stream
passes both with the deadline it came with, if it has one: how long it lasts is for its caller to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import Message

from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status

SHARE: Final = 0.5  # of the time left, for an attempt while another endpoint could still be asked


class Deadline:
    """Gives a call its deadline: its own, or `seconds` from its beginning if that is sooner.

    The connection behind ends the call then; it has one timer for all of them, and so nothing is timed here.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._now = clock.seconds
        self._seconds = seconds

    def __call__(self, call: Call, service: Service) -> Awaitable[Message]:
        now = self._now()
        return _by(now + self._seconds, now, call, service)


class Attempt:
    """Gives one of several attempts its deadline, so that time is left for another where there is an endpoint
    `elsewhere`: `seconds` from its beginning, and half of the time left at most.

    Without that, a call with little time would spend all of it on an endpoint that hangs. Where there is nobody else
    to ask, an attempt has all the time: to give up one that is late, and to ask the same again, would be later still.
    """

    def __init__(self, clock: Clock, seconds: float, attempts: int, elsewhere: Callable[[Call], bool]) -> None:
        self._now = clock.seconds
        self._seconds = seconds
        self._attempts = attempts
        self._elsewhere = elsewhere

    def __call__(self, call: Call, service: Service) -> Awaitable[Message]:
        now, deadline = self._now(), call.context.deadline
        by = now + self._seconds
        if deadline is not None:
            by = min(by, now + SHARE * (deadline - now)) if self._another_may_follow(call) else deadline
        return _by(by, now, call, service)

    def _another_may_follow(self, call: Call) -> bool:
        return call.method.idempotent and call.context.attempt + 1 < self._attempts and self._elsewhere(call)


def _by(deadline: float, now: float, call: Call, service: Service) -> Awaitable[Message]:
    """The answer by the call's own deadline, or this one if it is sooner."""
    given = call.context.deadline
    if given is not None and given <= now:
        return _too_late(call)
    if not call.streams and (given is None or given > deadline):
        call = call.within(call.context.by(deadline))
    return service(call)  # not awaited here: on its way back a call has nothing to meet


async def _too_late(call: Call) -> Message:
    raise _none_left(call)


class Timeout:
    """Ends a call at its own deadline, and after `seconds` at the latest; what stands behind sees that deadline.

    `usual`: the time for a call that comes without a deadline, where that is not to be all of `seconds`.
    `kept`: whoever brought the call ends it at the deadline it came with, as the connection of a server does; then only
    a sooner one needs a timer.
    """

    def __init__(self, clock: Clock, seconds: float, usual: float | None = None, *, kept: bool = False) -> None:
        self._clock = clock
        self._seconds = seconds
        self._usual = seconds if usual is None else min(seconds, usual)
        self._kept = kept

    async def __call__(self, call: Call, service: Service) -> Message:
        now = self._clock.seconds()
        given = call.context.deadline
        if given is not None and given <= now:
            raise _none_left(call)
        if call.streams:
            return await service(call)
        deadline = now + (self._usual if given is None else self._seconds)
        if given is not None and given <= deadline:
            if self._kept:
                return await service(call)
            deadline = given
        call = call.within(call.context.by(deadline))
        return await self._clock.within(deadline - now, _answer(service, call))


def _none_left(call: Call) -> RpcError:
    message = f"no time was left for {call.method.path}"
    return RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)


async def _answer(service: Service, call: Call) -> Message:
    return await service(call)
