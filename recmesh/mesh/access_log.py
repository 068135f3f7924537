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
    """Writes a line for every call that failed and for a `share` of those that did not."""

    def __init__(self, clock: Clock, log: Log, rng: random.Random, share: float = 0.01) -> None:
        self._clock = clock
        self._log = log
        self._rng = rng
        self._share = share

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
                self._write(call, outcome, self._clock.seconds() - begin)

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
        self._log.info("call", **fields)
