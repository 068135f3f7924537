"""Certificates that tests make for themselves: an authority, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from recmesh.rpc.tls import Tls

HOUR = datetime.timedelta(hours=1)
LOCAL = ("localhost", "127.0.0.1")


class Authority:
    """Signs certificates, and writes them into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = str(folder / f"{name}.pem")
        certificate = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        signed = certificate.sign(self._key, hashes.SHA256())
        Path(self.file).write_bytes(signed.public_bytes(Encoding.PEM))

    def issue(
        self, name: str, uris: Sequence[str] = (), hosts: Sequence[str] = (), *, password: bytes = b"", age: float = 0.0
    ) -> tuple[str, str]:
        """The files of a certificate and its key; one that is older than an hour has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [*(x509.UniformResourceIdentifier(each) for each in uris), *map(_host, hosts)]
        certificate = self._builder(subject, key, age)
        if names:
            certificate = certificate.add_extension(x509.SubjectAlternativeName(names), False)
        paths = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        paths[0].write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        sealed = BestAvailableEncryption(password) if password else NoEncryption()
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        return str(paths[0]), str(paths[1])

    def member(self, name: str, *, peers: tuple[str, ...] = (), hosts: Sequence[str] = LOCAL) -> Tls:
        """The files of a process of the mesh, whose principal is spiffe://mesh/NAME."""
        return Tls(*self.issue(name, [f"spiffe://mesh/{name}"], hosts), self.file, peers)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, age: float = 0.0
    ) -> x509.CertificateBuilder:
        start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age) - HOUR / 60
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        dated = builder.not_valid_before(start).not_valid_after(start + HOUR)
        return dated.serial_number(x509.random_serial_number())


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
