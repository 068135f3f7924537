"""Which protocol a client speaks, from its first bytes; and what to tell a web browser."""

from __future__ import annotations

from enum import Enum

from recmesh.rpc.frames import PREFACE

HANDSHAKE_RECORD = b"\x16"  # what TLS begins with

_TEXT = b"This port speaks the recmesh protocol. Use a recmesh client, or the HTTP port of the gateway.\n"

UPGRADE_REQUIRED = (
    b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: recmesh/1\r\nConnection: Upgrade, close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(_TEXT), _TEXT)
)

_TLS_TEXT = b"This port requires TLS. Use a recmesh client with certificates, or the HTTP port of the gateway.\n"

TLS_REQUIRED = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(_TLS_TEXT), _TLS_TEXT)
)


class Spoken(Enum):
    """What the first bytes say."""

    UNDECIDED = 0
    RECMESH = 1
    HTTP1 = 2
    TLS = 3
    OTHER = 4  # HTTP/2, noise: nothing that a sentence would help


def spoken(first: bytes) -> Spoken:
    if first[:1] == PREFACE[:1]:
        return Spoken.RECMESH
    if first[:1] == HANDSHAKE_RECORD:
        return Spoken.TLS
    if first[:1] == b"P" and len(first) < 2:  # of POST, or of the preface of HTTP/2
        return Spoken.UNDECIDED
    if first[:1].isalpha() and first[:2] != b"PR":
        return Spoken.HTTP1
    return Spoken.OTHER
