"""The receiving side: what a peer may still send, and the messages of a call while they come in."""

from __future__ import annotations

from recmesh.wire.v1 import wire_pb2 as wire


class Allowance:
    """A window as its receiver counts it. Credit goes back when half of it is due, not for every message.

    `due` falls below zero when bytes were given back early, for a message still arriving, that then waits whole.
    """

    __slots__ = ("due", "half", "left")

    def __init__(self, window: int) -> None:
        self.left = window  # bytes that the peer may still send; below 0: it has sent more than it may
        self.due = 0  # bytes that are dealt with and not given back yet
        self.half = window // 2  # due, it is given back

    def earn(self, size: int) -> int:
        """Bytes that are dealt with; the credit to give now."""
        self.due += size
        if self.due < self.half:
            return 0
        credit, self.due = self.due, 0
        self.left += credit
        return credit


class Intake:
    """The messages of a call, as they come in."""

    __slots__ = ("allowance", "credit", "data", "early", "empties", "header", "many", "since", "started", "whole")

    def __init__(
        self, window: int, many: bool = False, header: wire.CallHeader | None = None, since: float = 0
    ) -> None:
        self.allowance = Allowance(window)
        self.many = many  # messages may come, else one
        self.header = header
        self.since = since
        self.credit = 0  # given by the peer for the answer
        self.data = bytearray()  # one buffer, no list of pieces: many tiny pieces cost no more than their bytes
        self.early = 0  # bytes of it for which credit was given back already, so that the rest can come
        self.empties = 0  # messages without a byte that wait: no window counts them
        self.started = self.whole = False

    def take(self) -> bytes:
        """The message that is complete, to make way for another."""
        message = bytes(self.data)
        self.data.clear()
        self.started = False
        return message
