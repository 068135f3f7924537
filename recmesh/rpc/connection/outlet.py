"""Where a connection's bytes go: sent early, joined where possible, and never hoarded for a peer that does not read.

The first frame of a turn of the loop is sent at once, so that the peer can begin; those that follow in the same turn
leave together at its end, in one system call. Whoever can wait, as the frames of a long stream can, writes no more
than there is `room` for, and goes on when `on_room` is called: so what others write meanwhile does not stand behind it.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

from recmesh.rpc.connection.base import Timer
from recmesh.rpc.session.memory import PROCESS
from recmesh.rpc.tls.stream import TlsStream

MAX_UNSENT = 64 << 20  # bytes; sixteen of the largest messages: a peer that lets more pile up does not read
AHEAD = 256 << 10  # bytes that a stream may have waiting here: enough to fill a socket, a millisecond of a fast network
COUNTED = 2 * AHEAD  # bytes; whoever lets more wait does not read, and the process's pool counts it, in such steps
LINGER = 1.0  # seconds between the last byte and the close, so that the peer reads why; a reset could overtake it


class Outlet(abc.ABC):
    """A recmesh.rpc.connection.base.Transport, but for the loop's own ways to send."""

    def __init__(self, at_end_of_turn: Callable[[Callable[[], None]], Timer]) -> None:
        self.closed = False  # nothing more is written
        self.eager = True  # not while so much has come that the peer is ahead: then one send is better than two
        self.why = ""  # it was closed, if for a reason of its own
        self.on_room: Callable[[], object] = _nobody  # called when bytes that waited have left
        self._at_end_of_turn = at_end_of_turn
        self._stream: TlsStream | None = None  # seals what goes
        self._turn: Timer | None = None  # set from the first write of a turn to its end
        self._blocked = False  # the socket takes no more; the loop's own buffer holds what was sent last
        self._later: list[bytes] = []
        self._later_bytes = 0
        self._counted = 0  # bytes that the pool counts, until the loop's buffer is empty
        self._uncounted = COUNTED  # `_later_bytes` from which on more is to be counted

    @property
    def room(self) -> int:
        """Bytes to write now, for those who can wait; none while the socket takes none."""
        return 0 if self._blocked or self.closed else max(0, AHEAD - self._later_bytes)

    def write(self, data: bytes) -> None:
        if self.closed or not data:
            return
        if self._turn is None and not self._blocked:
            self._turn = self._at_end_of_turn(self._end_turn)
            if self.eager:
                self._send(data)
                return
        self._later.append(data)
        self._later_bytes += len(data)
        if self._later_bytes > self._uncounted:
            self._count()

    def seal_with(self, stream: TlsStream) -> None:
        """From here on bytes leave sealed; what was written before leaves first, as it is."""
        if self._later:
            self._send(self._take())
        self._stream = stream

    def close(self) -> None:
        """Ends the connection when all that was written has left, or soon after if the peer does not read."""
        if not self.closed:
            rest = self._take()
            if self._stream is not None:
                rest = self._stream.seal(rest) + self._stream.farewell()
            self.lost()
            self._finish(rest)

    def abort(self) -> None:
        """Ends the connection at once."""
        self.lost()
        self._abort()

    def lost(self) -> None:
        """Nothing can be written any more."""
        self.closed = True
        self.on_room = _nobody
        self._later.clear()
        self._uncount()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def unblocked(self) -> None:
        """The loop's buffer is empty again."""
        self._blocked = False
        if self._later:
            self._send_later()
        if not self._blocked:
            self._uncount()
            self.on_room()

    def _end_turn(self) -> None:
        self._turn = None
        if self._later and not self._blocked:
            self._send_later()
            if not self._blocked:
                self._uncount()
                self.on_room()

    def _count(self) -> None:
        """A peer that does not read is left; sooner, when all together let the process hold too much."""
        steps = -(-(self._later_bytes - self._uncounted) // COUNTED)
        self._uncounted += steps * COUNTED
        self._counted += steps * COUNTED
        PROCESS.held += steps * COUNTED
        if self._later_bytes > MAX_UNSENT or PROCESS.held > PROCESS.most:
            self.why = f"the peer does not read: {self._later_bytes / (1 << 20):.3g} MiB are unsent"
            self.abort()

    def _uncount(self) -> None:
        PROCESS.held -= self._counted
        self._counted, self._uncounted = 0, COUNTED

    def _take(self) -> bytes:
        data = b"".join(self._later)
        self._forget()
        return data

    def _forget(self) -> None:
        self._later.clear()
        self._later_bytes = 0

    def _send_later(self) -> None:
        self._send(self._take())

    @abc.abstractmethod
    def _send(self, data: bytes) -> None:
        """To the socket, sealed if there is a stream."""

    @abc.abstractmethod
    def _finish(self, rest: bytes) -> None:
        """Sends `rest`, half-closes, and aborts after LINGER if the peer has not closed by then."""

    @abc.abstractmethod
    def _abort(self) -> None: ...


def _nobody() -> None:
    """Who waits for room, until somebody does."""
