"""Between an asyncio transport and a line."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from recmesh.rpc.address import join_address
from recmesh.rpc.connection import outlet
from recmesh.rpc.connection.line import Line
from recmesh.rpc.sockets import bound_unsent


class Outlet(outlet.Outlet):
    """Writes to an asyncio transport, which itself sends at once what it can."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(asyncio.get_running_loop().call_soon)
        self._transport = transport
        self._linger: asyncio.TimerHandle | None = None

    def blocked(self) -> None:
        self._blocked = True

    def lost(self) -> None:
        super().lost()
        if self._linger is not None:
            self._linger.cancel()

    def _send(self, data: bytes) -> None:
        self._transport.write(data if self._stream is None else self._stream.seal(data))

    def _finish(self, rest: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(rest)
        self._linger = asyncio.get_running_loop().call_later(outlet.LINGER, self._transport.abort)
        self._transport.write_eof()

    def _abort(self) -> None:
        self._transport.abort()


class LineProtocol(asyncio.Protocol):
    """Hands the bytes of one asyncio transport to a line."""

    def __init__(self, begin: Callable[[Outlet, str], Line]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != getattr(socket, "AF_UNIX", None):
            with suppress(OSError):  # lost already
                bound_unsent(sock)
        self._outlet = Outlet(cast(asyncio.Transport, transport))
        self._line = line = self._begin(self._outlet, _name_of(transport.get_extra_info("peername")))
        self.data_received = line.data_received  # type: ignore[method-assign] # a step less for every read

    def pause_writing(self) -> None:
        self._outlet.blocked()

    def resume_writing(self) -> None:
        self._outlet.unblocked()

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.lost(str(exc or "the other end closed it"))


def _name_of(peer: Any) -> str:
    """Of an IP socket its host and port first, of a Unix socket its path, mostly none."""
    return join_address(peer[0], peer[1]) if isinstance(peer, tuple) else f"unix:{peer or ''}"
