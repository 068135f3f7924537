"""Retry: a call that failed is made once more where that is safe, and elsewhere.

It protects callers from what passes soon or concerns one endpoint: a connection that broke, a process that restarts.
Which failures are repeated at once and which after a pause follows gRPC A6; the pauses are short beside it, because a
user waits.
"""

from __future__ import annotations

import math
import random
from typing import Final

from google.protobuf.message import Message

from recmesh.mesh.budget import Budget
from recmesh.mesh.failure import may_repeat
from recmesh.rpc import Call, Clock, Processed, RpcError, Service

BACKOFF_FIRST, BACKOFF_MOST = 0.025, 0.250  # seconds: a stalled process has gone on, and an answer still has time
JITTER: Final = (0.5, 1.5)  # so that callers who failed together do not come back together


class Retry:
    """Makes up to `attempts` attempts. The balancer behind it leaves out the endpoints in `Call.tried`.

    Once the attempts or the budget are spent, the last failure says "do not retry" to whoever is further up: attempts
    at every hop would multiply. A stream is repeated only while nothing of it has been used.
    """

    def __init__(self, clock: Clock, rng: random.Random, budget: Budget, attempts: int = 3) -> None:
        self.repeated = 0  # attempts beyond the first
        self.unaffordable = 0  # calls that ended because the budget was spent
        self._clock = clock
        self._rng = rng
        self._budget = budget
        self._attempts = attempts

    async def __call__(self, call: Call, service: Service) -> Message:
        self._budget.earned()
        attempt = 0
        while True:
            try:
                return await service(call)
            except RpcError as error:
                attempt += 1
                if not (call.repeatable and may_repeat(call.method, error)):
                    raise
                pause = self._pause(call, error, attempt)
                if attempt < self._attempts and pause >= self._time_left(call):
                    raise
                if attempt >= self._attempts or not self._affordable(error, attempt):
                    raise _spent(error) from error
            if pause:
                await self._clock.sleep(pause)
            self.repeated += 1
            call = call.within(call.context.repeated(attempt))

    def _pause(self, call: Call, error: RpcError, attempt: int) -> float:
        """Seconds before the attempt number `attempt`, counted from 0."""
        if error.processed is Processed.REFUSED and attempt == 1:
            return 0.0
        if error.processed is Processed.NOT_SENT and (attempt == 1 or len(call.tried) >= attempt):
            return 0.0  # every attempt has gone to another endpoint: there may be one more
        if error.pushback_ms is not None:
            return error.pushback_ms / 1000
        return min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** (attempt - 1)) * self._rng.uniform(*JITTER)

    def _affordable(self, error: RpcError, attempt: int) -> bool:
        """What reached nobody costs nothing; nor does, once, what a process that leaves sent back. One that refuses
        for want of room says when to come back, and asking the next at once is paid for: all may have too much to do.
        """
        if error.processed is Processed.NOT_SENT:
            return True
        if error.processed is Processed.REFUSED and attempt == 1 and error.pushback_ms is None:
            return True
        if self._budget.spend():
            return True
        self.unaffordable += 1
        return False

    def _time_left(self, call: Call) -> float:
        deadline = call.context.deadline
        return math.inf if deadline is None else deadline - self._clock.seconds()


def _spent(error: RpcError) -> RpcError:
    return RpcError(
        error.status,
        error.message,
        processed=error.processed,
        origin=error.origin,
        pushback_ms=-1,
        details=error.details,
        metadata=error.metadata,
    )
