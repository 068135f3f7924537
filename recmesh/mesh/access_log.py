"""AccessLog: a line for a call."""

from __future__ import annotations

import random
from typing import Any, Protocol

from google.protobuf.message import Message

from recmesh.mesh.failure import code_of
from recmesh.mesh.trace import trace_id
from recmesh.rpc import Call, Clock, RpcError, Service


class Log(Protocol):
    """Where lines go, for example a `recmesh.ops.log.Logger`."""

    def info(self, message: str, **fields: Any) -> None: ...


class AccessLog:
    """Writes a line for calls that failed and for a `share` of those that did not.

    Of failures no more than `most_failures` a second, and twice that in a burst: a process that refuses thousands of
    calls has better to do than to write thousands of lines. The next line says how many were left out.
    """

    def __init__(
        self, clock: Clock, log: Log, rng: random.Random, share: float = 0.01, most_failures: float = 20.0
    ) -> None:
        self._clock = clock
        self._log = log
        self._rng = rng
        self._share = share
        self._rate = most_failures
        self._tokens = 2 * most_failures
        self._filled = clock.seconds()
        self._left_out = 0

    async def __call__(self, call: Call, service: Service) -> Message:
        begin = self._clock.seconds()
        outcome: BaseException | None = None
        try:
            return await service(call)
        except BaseException as error:
            outcome = error
            raise
        finally:
            if outcome is not None or self._rng.random() < self._share:
                now = self._clock.seconds()
                if outcome is None or self._may_write(now):
                    self._write(call, outcome, now - begin)

    def _may_write(self, now: float) -> bool:
        self._tokens = min(2 * self._rate, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            self._left_out += 1
            return False
        self._tokens -= 1
        return True

    def _write(self, call: Call, outcome: BaseException | None, seconds: float) -> None:
        fields: dict[str, Any] = {
            "method": call.method.path,
            "code": code_of(outcome),
            "milliseconds": round(1000 * seconds, 3),
            "peer": call.context.peer,
            "trace": trace_id(call.context.trace),
        }
        if isinstance(outcome, RpcError):
            fields["reason"] = outcome.message
        if self._left_out:
            fields["left_out"], self._left_out = self._left_out, 0
        self._log.info("call", **fields)
