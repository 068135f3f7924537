"""Timeout: a call is answered in time or not at all."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf.message import Message

from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status


class Timeout:
    """Ends a call at its own deadline, and after `seconds` at the latest; what stands behind sees that deadline.

    `usual`: the time for a call that comes without a deadline, where that is not to be all of `seconds`.
    """

    def __init__(self, clock: Clock, seconds: float, usual: float | None = None) -> None:
        self._clock = clock
        self._seconds = seconds
        self._usual = seconds if usual is None else min(seconds, usual)

    async def __call__(self, call: Call, service: Service) -> Message:
        now = self._clock.seconds()
        given = call.context.deadline
        deadline = now + self._usual if given is None else min(given, now + self._seconds)
        if deadline <= now:
            message = f"no time was left for {call.method.path}"
            raise RpcError(Status.DEADLINE_EXCEEDED, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)
        call = replace(call, context=call.context.by(deadline))
        return await self._clock.within(deadline - now, _answer(service, call))


async def _answer(service: Service, call: Call) -> Message:
    return await service(call)
