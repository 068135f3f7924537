"""TLS: which files an end has, and what the other end's certificate must say.

The principal of a peer is the SPIFFE id in its certificate: exactly one URI among the alternative names. A caller's
principal is what authorisation goes by; a server is known by an expected id, or by its host name as on the web.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ALPN = "recmesh/1"
SPIFFE_ID = re.compile(r"spiffe://(?P<domain>[a-z0-9._-]{1,255})(?P<path>(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)*)")
MOST_ID = 2_048  # bytes of a SPIFFE id, as its standard has it


class TlsError(Exception):
    """TLS that cannot be had: files that do not load, or a peer whose certificate does not do."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The PEM files of one end, and whom it talks to.

    A server needs a certificate and its key; with `authorities` every client must show a certificate of theirs. A
    client needs a certificate where the server asks for one; without `authorities` it trusts those of the system.
    """

    certificate: str = ""  # the end's own, followed by those between it and an authority
    key: str = ""
    authorities: str = ""
    # SPIFFE ids ("spiffe://mesh/ranking") or whole trust domains ("spiffe://mesh"), one of which the other end must
    # have. Empty: a server takes every client of its authorities, a client goes by the host name it has dialed.
    peers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a certificate needs its key, and a key its certificate: give both files or neither")
        for each in self.peers:
            if not SPIFFE_ID.fullmatch(each):
                raise ValueError(f"{each!r} is no SPIFFE id; write spiffe://domain/name, or spiffe://domain for all")

    def welcomes(self, principal: str) -> bool:
        """Whether `peers` has that id or its trust domain."""
        domain = principal[: principal.find("/", len("spiffe://"))]
        return principal in self.peers or domain in self.peers


def principal_of(certificate: Mapping[str, Any]) -> str:
    """The SPIFFE id in a certificate as `ssl.SSLObject.getpeercert` gives it; TlsError unless it is the only URI."""
    return only_id([value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"])


def only_id(uris: Iterable[str]) -> str:
    found = list(uris)
    if len(found) != 1:
        raise TlsError(f"the certificate names {len(found)} URIs; it must name one SPIFFE id")
    match = SPIFFE_ID.fullmatch(found[0])
    if match is None or not match["path"] or len(found[0]) > MOST_ID:
        raise TlsError(f"{found[0]!r} in the certificate is no SPIFFE id of a process, spiffe://domain/name")
    return found[0]
