"""TLS of one connection without I/O: bytes of the socket to bytes of the protocol, and back."""

from __future__ import annotations

import ssl
from contextlib import suppress

from recmesh.rpc.tls import ALPN, TlsError, principal_of
from recmesh.rpc.tls.files import Identity

READ_SIZE = 65_536  # bytes; a record holds 16 KiB, and several are read at once


class TlsStream:
    """Begin with `handshake`, at a client without data; when `established`, `open` what comes and `seal` what goes."""

    def __init__(self, identity: Identity, host: str = "") -> None:
        self.established = False
        self.principal = ""  # the other end's, once established
        self._identity = identity
        self._came, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = identity.context().wrap_bio(
            self._came, self._going, server_side=identity.server, server_hostname=host or None
        )

    def handshake(self, data: bytes = b"") -> bytes:
        """What to send in turn. TlsError when it fails: the caller then sends `alert` and closes."""
        if data:
            self._came.write(data)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise TlsError(_reason(error)) from error
        else:
            self.established = True
        return self._going.read()

    def check_peer(self) -> None:
        """Sets `principal`; TlsError when the other end is none to talk to."""
        self.principal = check_peer(self._identity, self._ssl)

    def open(self, data: bytes) -> bytes:
        """The protocol's bytes in `data`; TlsError for bytes that nobody sealed."""
        self._came.write(data)
        opened: list[bytes] = []
        try:
            while piece := self._ssl.read(READ_SIZE):
                opened.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass  # all is read; or the other end sends no more, and will close
        except ssl.SSLError as error:
            raise TlsError(_reason(error)) from error
        return b"".join(opened)

    def seal(self, data: bytes) -> bytes:
        rest = memoryview(data)
        while rest:
            rest = rest[self._ssl.write(rest) :]
        return self._going.read()

    def alert(self) -> bytes:
        """What a failed handshake has left to send."""
        return self._going.read()

    def farewell(self) -> bytes:
        """The notice that nothing more is sent."""
        with suppress(ssl.SSLError):  # the other end has not said the same yet, and need not
            self._ssl.unwrap()
        return self._going.read()


def check_peer(identity: Identity, established: ssl.SSLObject | ssl.SSLSocket) -> str:
    """The principal of the other end, "" where none is asked for; TlsError when it is none to talk to."""
    tls = identity.tls
    if not identity.server and established.selected_alpn_protocol() != ALPN:
        raise TlsError(f"the server speaks TLS, but not {ALPN}")
    if not (tls.authorities if identity.server else tls.peers):
        return ""
    principal = principal_of(established.getpeercert() or {})
    if tls.peers and not tls.welcomes(principal):
        raise TlsError(f"{principal} is none of the peers expected here: {', '.join(tls.peers)}")
    return principal


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the peer's certificate is not accepted: {error.verify_message}"
    return (error.reason or str(error)).replace("_", " ").lower()
