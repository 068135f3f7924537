"""The files of TLS as an ssl.SSLContext, which is made again when they change.

Files are looked at when a connection begins, once a second at most. One that is bad, or half written, leaves the last
good ones in use and is logged. Open connections keep what they began with.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable

from recmesh.rpc.tls import ALPN, Tls, TlsError

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds; certificates live for hours, and connections may come by the thousand


class Identity:
    """What one end shows of itself, and how it judges the other."""

    def __init__(self, tls: Tls, *, server: bool, seconds: Callable[[], float] = time.monotonic) -> None:
        """TlsError when a file is missing or bad: at the start there are no last good ones."""
        if server and not tls.certificate:
            raise TlsError("a server needs a certificate and its key: name their files")
        self.tls = tls
        self.server = server
        self._seconds = seconds
        self._looked = seconds()
        self._seen = self._look()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """For a connection that begins."""
        now = self._seconds()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                self._reload()
        return self._context

    def _reload(self) -> None:
        try:
            self._context = self._load()
        except TlsError as error:
            log.error("the TLS files have changed, and the last good ones stay in use: %s", error)
        else:
            log.info("the TLS files have changed and are in use: %s", ", ".join(self._files()))

    def _files(self) -> list[str]:
        return [each for each in (self.tls.certificate, self.tls.key, self.tls.authorities) if each]

    def _look(self) -> list[tuple[int, ...]]:
        return [_state(each) for each in self._files()]

    def _load(self) -> ssl.SSLContext:
        tls = self.tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if self.server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([ALPN])
        # A resumed session would bring back what older files allowed; connections live long enough to be made in full.
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        if self.server:
            context.num_tickets = 0
            context.verify_mode = ssl.CERT_REQUIRED if tls.authorities else ssl.CERT_NONE
        elif tls.peers:
            context.check_hostname = False  # the SPIFFE id is checked instead
        if tls.certificate:
            _load_pair(context, tls.certificate, tls.key)
        if tls.authorities:
            _load_authorities(context, tls.authorities)
        elif not self.server:
            context.load_default_certs()
        return context


def identity_of(tls: Tls | Identity | None, *, server: bool) -> Identity | None:
    """Of what a user gives: files, or an Identity that several share."""
    return Identity(tls, server=server) if isinstance(tls, Tls) else tls


def _state(path: str) -> tuple[int, ...]:
    """Changes when the file does."""
    try:
        found = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        raise TlsError(f"{certificate} and {key} are no certificate and its key in PEM: {reason}") from error
    except OSError as error:
        raise TlsError(f"{certificate} or {key} cannot be read: {error.strerror or error}") from error


def _no_password() -> str:
    """Else OpenSSL would ask the terminal."""
    raise TlsError("the key is encrypted; store it without a password, readable for this process alone")


def _load_authorities(context: ssl.SSLContext, authorities: str) -> None:
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise TlsError(f"{authorities} holds no certificates in PEM: {error.reason or error}") from error
    except OSError as error:
        raise TlsError(f"{authorities} cannot be read: {error.strerror or error}") from error
