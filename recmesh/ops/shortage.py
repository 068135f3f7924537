"""A process that runs out of file descriptors takes no more connections: that belongs into its log.

Twisted closes such connections at once, so that it does not spin, and says so in lines that are too many and too quiet.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.logger import ILogObserver
from zope.interface import implementer

EVERY: Final = 1.0  # seconds between two lines
SIGNS: Final = ("EMFILE encountered", "Could not accept new connection")
"""How Twisted's records begin when a connection could not be accepted."""

log = logging.getLogger(__name__)


@implementer(ILogObserver)
class Shortage:
    """Is an observer of Twisted's log."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._next = float("-inf")

    def __call__(self, event: Mapping[str, Any]) -> None:
        if not str(event.get("log_format") or "").startswith(SIGNS):
            return
        now = self._seconds()
        if now >= self._next:
            self._next = now + EVERY
            message = "connections are turned away, for the system gives no file descriptor (%s): raise the limit"
            log.error(message, event.get("acceptError", "EMFILE"))
