"""The certificates of a process: as those who call it see it, and as those it calls do."""

from __future__ import annotations

from dataclasses import dataclass

from recmesh.ops.settings import ProcessSettings, SettingsError
from recmesh.rpc.tls import Tls, TlsError
from recmesh.rpc.tls.files import Identity


@dataclass(frozen=True, slots=True)
class Certificates:
    """None of both: everything is in the clear."""

    server: Identity | None = None
    client: Identity | None = None


def certificates(settings: ProcessSettings) -> Certificates:
    """SettingsError for files that cannot be used."""
    if not settings.tls_certificate:
        return Certificates()
    files = settings.tls_certificate, settings.tls_key, settings.tls_authorities
    try:
        return Certificates(
            server=Identity(Tls(*files), server=True),
            client=Identity(Tls(*files, peers=settings.tls_peers), server=False),
        )
    except TlsError as error:
        raise SettingsError(f"tls_certificate, tls_key, tls_authorities: {error}") from error
