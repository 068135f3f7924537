"""Retry: a call that failed is made once more where that is safe, and elsewhere."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message

from recmesh.mesh.failure import UNTOUCHED, may_repeat
from recmesh.rpc import Call, Clock, RpcError, Service, Status

BACKOFF_FIRST, BACKOFF_MOST = 0.025, 0.250  # seconds: a stalled process has gone on, and an answer still has time
JITTER: Final = (0.5, 1.5)  # so that callers who failed together do not come back together


class Retry:
    """Makes up to `attempts` attempts. The balancer behind it leaves out the endpoints in `Call.tried`.

    An attempt that reached no handler is repeated at once, the first time; any other after a pause. The last failure
    says "do not retry" to whoever is further up: attempts at every hop would multiply.
    """

    def __init__(self, clock: Clock, rng: random.Random, attempts: int = 2) -> None:
        self._clock = clock
        self._rng = rng
        self._attempts = attempts

    async def __call__(self, call: Call, service: Service) -> Message:
        attempt = 0
        while True:
            try:
                return await service(call)
            except RpcError as error:
                if not may_repeat(call.method, error):
                    raise
                failure = error
            attempt += 1
            pause = self._pause(failure, attempt)
            if attempt >= self._attempts:
                raise _spent(failure) from failure
            if pause >= self._time_left(call):
                raise failure
            if pause:
                await self._clock.sleep(pause)
            call = replace(call, context=replace(call.context, attempt=attempt))

    def _pause(self, error: RpcError, attempt: int) -> float:
        """Seconds before the attempt number `attempt`, counted from 0."""
        if error.status is Status.RESOURCE_EXHAUSTED:
            return (error.pushback_ms or 0) / 1000
        if attempt == 1 and error.processed in UNTOUCHED:
            return 0.0
        return min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** (attempt - 1)) * self._rng.uniform(*JITTER)

    def _time_left(self, call: Call) -> float:
        deadline = call.context.deadline
        return math.inf if deadline is None else deadline - self._clock.seconds()


def _spent(error: RpcError) -> RpcError:
    return RpcError(error.status, error.message, processed=error.processed, origin=error.origin, pushback_ms=-1)
