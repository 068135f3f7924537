"""Addresses under Twisted: "host:port", "[::1]:port", "unix:/path", and Twisted's own endpoint strings."""

from __future__ import annotations

import re
from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    clientFromString,
    serverFromString,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory

from recmesh.rpc.address import join_address, split_address, unix_path
from recmesh.rpc.server import BACKLOG
from recmesh.rpc.unix import MODE, claimed

TWISTED = re.compile(r"(tcp|tcp4|tcp6|ssl|tls|haproxy|systemd):")
"""Kinds of endpoint that "host:port" could be mistaken for: none of them is a host's name here."""

ENCRYPTED = re.compile(r"(ssl|tls):")


def client_endpoint(reactor: Any, address: str, timeout: float) -> IStreamClientEndpoint:
    """ValueError for what is no address."""
    path = unix_path(address)
    if path:
        return UNIXClientEndpoint(reactor, path, timeout=timeout)
    if not TWISTED.match(address):
        try:
            host, port = split_address(address)
        except ValueError:
            pass  # maybe a kind of endpoint that a plugin brings
        else:
            return _tcp_client(reactor, host, port, timeout)
    try:
        return cast(IStreamClientEndpoint, clientFromString(reactor, address))
    except Exception as error:  # whatever a plugin raises for what it does not understand
        raise _no_address(address, error) from error


def _tcp_client(reactor: Any, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
    if isIPAddress(host):
        return TCP4ClientEndpoint(reactor, host, port, timeout=timeout)
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port, timeout=timeout)
    return HostnameEndpoint(reactor, host, port, timeout=timeout)


async def listen_on(reactor: Any, address: str, factory: Factory[Any]) -> IListeningPort:
    """ValueError for what is no address, CannotListenError for one that cannot be had."""
    path = unix_path(address)
    if not path:
        return await _server_endpoint(reactor, address).listen(factory)
    try:
        with claimed(path):
            unix: IStreamServerEndpoint = UNIXServerEndpoint(reactor, path, backlog=BACKLOG, mode=MODE)
            return await unix.listen(factory)
    except OSError as error:
        raise CannotListenError("unix", path, error) from error


def _server_endpoint(reactor: Any, address: str) -> IStreamServerEndpoint:
    if not TWISTED.match(address):
        try:
            host, port = split_address(address)
        except ValueError:
            pass  # as above
        else:
            kind = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
            return kind(reactor, port, backlog=BACKLOG, interface=host)
    try:
        return cast(IStreamServerEndpoint, serverFromString(reactor, address))
    except Exception as error:
        raise _no_address(address, error) from error


def _no_address(address: str, error: Exception) -> ValueError:
    return ValueError(
        f"{address!r} is no address: {error}; write host:port, [::1]:port, unix:/path,"
        " or a Twisted endpoint such as tcp:127.0.0.1:7000"
    )


def name_of(address: IAddress | None) -> str:
    """As people write it."""
    if isinstance(address, UNIXAddress):
        return "unix:" + (address.name.decode(errors="replace") if address.name else "")
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    return join_address(host, port) if host is not None and port is not None else str(address)
