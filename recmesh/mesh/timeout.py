"""Deadline and Timeout: a call is answered in time or not at all.

They protect a caller from an answer that never comes, and a process from working for callers who have gone. A stream
passes both with the deadline it came with, if it has one: how long it lasts is for its caller to say.
"""

from __future__ import annotations

from google.protobuf.message import Message

from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status


class Deadline:
    """Gives a call its deadline: its own, or `seconds` from its beginning if that is sooner.

    The connection behind ends the call then; it has one timer for all of them, and so nothing is timed here.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    async def __call__(self, call: Call, service: Service) -> Message:
        now = self._clock.seconds()
        _check(call, now)
        if not call.streams:
            context = call.context.by(now + self._seconds)
            if context is not call.context:
                call = call.within(context)
        return await service(call)


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
        _check(call, now)
        if call.streams:
            return await service(call)
        given = call.context.deadline
        deadline = now + (self._usual if given is None else self._seconds)
        if given is not None and given <= deadline:
            if self._kept:
                return await service(call)
            deadline = given
        call = call.within(call.context.by(deadline))
        return await self._clock.within(deadline - now, _answer(service, call))


def _check(call: Call, now: float) -> None:
    deadline = call.context.deadline
    if deadline is not None and deadline <= now:
        message = f"no time was left for {call.method.path}"
        raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)


async def _answer(service: Service, call: Call) -> Message:
    return await service(call)
