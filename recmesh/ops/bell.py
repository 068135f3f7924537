"""Bell: wakes everybody who waits for a change."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Bell:
    """Whoever waits looks again when it rings. It keeps nothing: who does not wait does not hear it."""

    def __init__(self) -> None:
        self._waiting: set[Deferred[None]] = set()

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            each.callback(None)

    async def heard(self) -> None:
        waiting: Deferred[None] = Deferred(self._waiting.discard)
        self._waiting.add(waiting)
        await waiting
