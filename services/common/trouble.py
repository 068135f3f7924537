"""Trouble that lasts: one line in the log when it begins and one when it is over, however many calls meet it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from recmesh.ops.log import Logger

QUIET_SECONDS: Final = 10.0  # without a failure until it is over: a disk that fails now and then is one trouble


class Trouble:
    """Told of each failure and each success of one thing. Safe to tell from any thread."""

    def __init__(self, log: Logger, now: Callable[[], float] = time.monotonic, **fields: Any) -> None:
        self.failures = 0  # since it began
        self._log = log
        self._now = now
        self._fields = fields
        self._begin: float | None = None
        self._last = 0.0

    def failed(self, message: str, reason: object) -> None:
        """`message`, constant, says what does not work and what to do."""
        self.failures += 1
        self._last = self._now()
        if self._begin is None:
            self._begin = self._last
            self._log.error(message, reason=str(reason), **self._fields)

    def worked(self) -> None:
        if self._begin is not None and self._now() - self._last >= QUIET_SECONDS:
            seconds = round(self._last - self._begin, 1)
            self._log.info("it works again", seconds=seconds, failures=self.failures, **self._fields)
            self._begin, self.failures = None, 0
