"""From the bytes of one socket to a connection: at once, after a TLS handshake, or never.

A glue makes a line when a socket opens, and gives it what the socket gives. Nothing here does I/O of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from recmesh.rpc.connection.base import HANDSHAKE_TIMEOUT, Alarm, Connection, Loop
from recmesh.rpc.connection.outlet import Outlet
from recmesh.rpc.connection.sniff import TLS_REQUIRED, Spoken, spoken
from recmesh.rpc.frames import DEFAULTS
from recmesh.rpc.session.server import ServerSession
from recmesh.rpc.status import Status
from recmesh.rpc.tls import TlsError
from recmesh.rpc.tls.stream import TlsStream


class Line:
    """A socket whose bytes are those of a connection. Without one they are dropped, until the socket has closed."""

    def __init__(self, outlet: Outlet, connection: Connection | None = None) -> None:
        self.outlet = outlet
        self.connection = connection
        self.on_lost: Callable[[Line], object] = _nobody

    def data_received(self, data: bytes) -> None:
        # Once closed, data is read and dropped, so that no reset overtakes the last words to the peer.
        if self.connection is not None and not self.outlet.closed:
            self.connection.data_received(data)

    def lost(self, reason: str) -> None:
        """To be called once, when the socket has closed."""
        self.outlet.lost()
        if self.connection is not None:
            self.connection.connection_lost(reason, self.outlet.why)
        self.on_lost(self)


class TlsLine(Line):
    """A socket whose bytes are TLS; at a client. The connection comes when each end knows who the other is."""

    def __init__(
        self,
        loop: Loop,
        outlet: Outlet,
        stream: TlsStream,
        connect: Callable[[str], Connection],
        failed: Callable[[str], object],
    ) -> None:
        """`connect` is given the principal of the other end, or `failed` the reason why there is no connection."""
        super().__init__(outlet)
        self._stream = stream
        self._connect = connect
        self._failed = failed
        self._settled = False  # there is a connection, or it is told that there will be none
        self._alarm = Alarm(loop)
        self._alarm.set(HANDSHAKE_TIMEOUT, self._too_slow)

    def begin(self) -> None:
        """The client speaks first."""
        self.outlet.write(self._stream.handshake())

    def data_received(self, data: bytes) -> None:
        if self.outlet.closed:
            return
        if not self._stream.established:
            self._go_on(data)
            data = b""  # whatever came with the end of the handshake is in the stream
        if self.connection is not None:
            self._open(self.connection, data)

    def lost(self, reason: str) -> None:
        self._settle(f"{reason} during the TLS handshake")
        super().lost(reason)

    def give_up(self) -> None:
        """Ends a handshake that nobody waits for any more."""
        if self.connection is None:
            self._settled = True
            self._alarm.stop()
            self.outlet.abort()

    def _go_on(self, data: bytes) -> None:
        try:
            self.outlet.write(self._stream.handshake(data))
            if self._stream.established:
                self.outlet.seal_with(self._stream)
                self._stream.check_peer()
                self._settled = True
                self._alarm.stop()
                self.connection = self._connect(self._stream.principal)
        except TlsError as error:
            self._refuse(str(error))

    def _open(self, connection: Connection, data: bytes) -> None:
        try:
            opened = self._stream.open(data)
        except TlsError as error:
            self.outlet.why = f"TLS has failed: {error}"
            self.outlet.abort()  # nothing can be sealed any more
            return
        if opened:
            connection.data_received(opened)

    def _too_slow(self) -> None:
        self._refuse(f"no TLS handshake within {HANDSHAKE_TIMEOUT:g} s")

    def _refuse(self, reason: str) -> None:
        if not self._stream.established:
            self.outlet.write(self._stream.alert())
        self.outlet.close()
        self._settle(reason)

    def _settle(self, reason: str) -> None:
        self._alarm.stop()
        if not self._settled:
            self._settled = True
            self._failed(reason)


class TlsServerLine(TlsLine):
    """The same at a server; a peer without TLS is told that it needs it, as far as it can be told."""

    _first = b""
    _is_tls = False

    def data_received(self, data: bytes) -> None:
        if not self._is_tls and not self.outlet.closed:
            data, self._first = self._first + data, b""
            speaks = spoken(data)
            if speaks is Spoken.UNDECIDED:
                self._first = data
                return
            self._is_tls = speaks is Spoken.TLS
            if not self._is_tls:
                self._turn_away(speaks)
        super().data_received(data)

    def _turn_away(self, speaks: Spoken) -> None:
        if speaks is Spoken.RECMESH:
            turn_away(self.outlet, Status.FAILED_PRECONDITION, "this port requires TLS")
        else:
            self.outlet.write(TLS_REQUIRED if speaks is Spoken.HTTP1 else b"")
            self.outlet.close()
        self._settle("the peer speaks no TLS")

    def _refuse(self, reason: str) -> None:
        if self._stream.established:
            turn_away(self.outlet, Status.UNAUTHENTICATED, reason)
        super()._refuse(reason)


def turn_away(outlet: Outlet, status: Status, reason: str) -> Line:
    """Tells a peer of this protocol why it is not served, and closes; what it has called is safe to call elsewhere."""
    session = ServerSession(DEFAULTS)
    outlet.write(session.hello() + session.goaway(0, status, reason))
    outlet.close()
    return Line(outlet)


def _nobody(line: Line) -> None:
    """Whom a line tells of its end, until somebody asks."""
