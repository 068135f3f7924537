"""How a TCP socket is set up."""

from __future__ import annotations

import socket

from recmesh.rpc.connection.outlet import AHEAD


def bound_unsent(sock: socket.socket) -> None:
    """Keeps the kernel from taking megabytes of a stream that small calls would then stand behind."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS have it
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, AHEAD)
