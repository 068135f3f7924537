"""Addresses: "host:port", "[::1]:port", "unix:/path"."""

from __future__ import annotations

UNIX = "unix:"
MOST_PATH = 107  # bytes of a socket's path that the kernel takes


def split_address(address: str) -> tuple[str, int]:
    """Host and port; ValueError for anything else."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""  # an IPv6 address without brackets: its last group is no port
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{address!r} is no address; write host:port, or [::1]:port for IPv6, or unix:/path")
    return host, int(port)


def join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unix_path(address: str) -> str:
    """The path of "unix:/path", "" for an address of another kind; ValueError for a path that no socket can have."""
    if not address.startswith(UNIX):
        return ""
    path = address.removeprefix(UNIX)
    if not path or "\0" in path:
        raise ValueError(f"{address!r} names no path; write unix:/path")
    if len(path.encode()) > MOST_PATH:
        raise ValueError(f"{address!r} is over the {MOST_PATH} bytes that a socket's path may have; use a shorter one")
    return path


def host_of(address: str) -> str:
    """The host that the certificate of a server at `address` must name; "" where the address has none."""
    try:
        return split_address(address)[0] if not address.startswith(UNIX) else ""
    except ValueError:
        return ""
