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

    def error(self, message: str, error: BaseException | None = None, **fields: Any) -> None: ...


class AccessLog:
    """Writes a line for every call that failed and for a `share` of those that did not.

    A handler's exception that is no RpcError is a fault of this program and is written with its traceback.
    """

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
        code = code_of(outcome)
        fields: dict[str, Any] = {
            "method": call.method.path,
            "code": code,
            "milliseconds": round(1000 * seconds, 3),
            "peer": call.context.peer,
            "trace": trace_id(call.context.trace),
        }
        if code == "UNKNOWN" and not isinstance(outcome, RpcError):
            self._log.error("a handler failed", outcome, **fields)
        elif isinstance(outcome, RpcError):
            self._log.info("call", **fields, error=outcome.message)
        else:
            self._log.info("call", **fields)
