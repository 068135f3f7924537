"""Copies of one call that race: what those learn that lose."""

from __future__ import annotations

from contextvars import ContextVar


class Race:
    """Between the copies of one call; `Clock.hedged` holds it."""

    __slots__ = ("won",)

    def __init__(self) -> None:
        self.won = False  # one has answered; the other is cancelled


race: ContextVar[Race | None] = ContextVar("recmesh.rpc.race", default=None)
"""Set for the coroutines of all copies: what is cancelled asks there why."""


def superseded() -> bool:
    """Asked by a call that is cancelled: whether because another copy of it has answered."""
    running = race.get()
    return running is not None and running.won
