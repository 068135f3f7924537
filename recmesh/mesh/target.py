"""Target: how an operator writes where the endpoints of a service are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from recmesh.rpc.address import split_address

KINDS: Final = {
    "dns": "dns:name:port",
    "srv": "srv:_name._tcp.domain",
    "kubernetes": "kubernetes:namespace/service:port",
    "file": "file:/path/to/endpoints.toml",
}

KUBERNETES: Final = re.compile(r"([a-z0-9.-]+)/([a-z0-9.-]+):([a-z0-9-]+)")
SRV: Final = re.compile(r"_[A-Za-z0-9-]+\._(tcp|udp)\.[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint, or a source of them."""

    kind: str  # "static", "dns", "srv", "kubernetes", "file"
    name: str  # an address, a host, a record, a service, a path
    port: str = ""  # a number; for kubernetes also a port's name
    namespace: str = ""


def parse_target(text: str) -> Target:
    """ValueError says what is expected instead."""
    kind, colon, rest = text.partition(":")
    if kind not in KINDS or not colon or rest.isdigit():  # a host may be called "dns"
        split_address(text)
        return Target("static", text)
    try:
        return _parse(kind, rest)
    except ValueError as error:
        raise ValueError(f"{text!r} is no source of endpoints; write {KINDS[kind]}") from error


def _parse(kind: str, rest: str) -> Target:
    if kind == "dns":
        host, port = split_address(rest)
        return Target(kind, host, str(port))
    if kind == "kubernetes":
        match = KUBERNETES.fullmatch(rest)
        if match is None:
            raise ValueError(rest)
        return Target(kind, match[2], match[3], match[1])
    if (kind == "srv" and not SRV.fullmatch(rest)) or not rest:
        raise ValueError(rest)
    return Target(kind, rest)
