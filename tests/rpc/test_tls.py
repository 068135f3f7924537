"""Which certificates do, which files load, and what happens when they change; no socket."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from recmesh.rpc.tls import Tls, TlsError, principal_of
from recmesh.rpc.tls.files import Identity
from recmesh.rpc.tls.stream import TlsStream
from tests.rpc.certificates import Authority


class Seconds:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def client_of(tls: Tls, host: str = "localhost") -> TlsStream:
    return TlsStream(Identity(tls, server=False), host)


def server_of(tls: Tls) -> TlsStream:
    return TlsStream(Identity(tls, server=True))


def shake(client: TlsStream, server: TlsStream) -> None:
    """Both ends, until both are established and have looked at each other; raises what either raises."""
    up = client.handshake()
    while up:
        down = server.handshake(up)
        if client.established:
            break
        up = client.handshake(down)
    client.check_peer()
    server.check_peer()


# What a certificate says.


@pytest.mark.parametrize("uri", ["spiffe://mesh/ranking", "spiffe://mesh.example_1/ns/prod/sa/ranking-0"])
def test_the_only_uri_of_a_certificate_is_the_principal(uri: str) -> None:
    assert principal_of({"subjectAltName": (("DNS", "localhost"), ("URI", uri))}) == uri


@pytest.mark.parametrize(
    "uris",
    [
        (),
        ("spiffe://mesh/a", "spiffe://mesh/b"),
        ("spiffe://mesh/a", "https://mesh/a"),
        ("https://mesh/a",),
        ("spiffe://mesh",),
        ("spiffe://mesh/",),
        ("spiffe://mesh/a/",),
        ("spiffe://mesh//a",),
        ("spiffe://mesh/../a",),
        ("spiffe://mesh/.",),
        ("spiffe://MESH/a",),
        ("spiffe://mesh:7000/a",),
        ("spiffe://user@mesh/a",),
        ("spiffe://mesh/a?b",),
        ("spiffe://mesh/a#b",),
        ("spiffe://mesh/a\n",),
        ("spiffe://mesh/" + "a" * 2_048,),
    ],
)
def test_any_other_certificate_names_no_principal(uris: tuple[str, ...]) -> None:
    with pytest.raises(TlsError, match="SPIFFE id"):
        principal_of({"subjectAltName": tuple(("URI", uri) for uri in uris)})


def test_peers_are_ids_or_whole_trust_domains() -> None:
    tls = Tls(peers=("spiffe://mesh/ranking", "spiffe://other"))
    assert tls.welcomes("spiffe://mesh/ranking") and tls.welcomes("spiffe://other/any/thing")
    assert not tls.welcomes("spiffe://mesh/ranking/2") and not tls.welcomes("spiffe://mesh/retrieval")
    assert not tls.welcomes("spiffe://other.example/any")


def test_peers_that_are_no_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="'mesh/ranking' is no SPIFFE id; write spiffe://domain/name"):
        Tls(peers=("mesh/ranking",))


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(ValueError, match="a certificate needs its key"):
        Tls(certificate="a.crt")


# Files.


def test_files_that_are_missing_or_bad_are_named(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("good"), authority.issue("other")
    (tmp_path / "text").write_text("no PEM\n")
    text, none = str(tmp_path / "text"), str(tmp_path / "none")
    for tls, named in [
        (Tls(none, good[1]), f"{none} or {good[1]} cannot be read: No such file"),
        (
            Tls(good[0], other[1]),
            f"{good[0]} and {other[1]} are no certificate and its key in PEM: KEY_VALUES_MISMATCH",
        ),
        (Tls(text, text), "are no certificate and its key in PEM"),
        (Tls(*good, text), f"{text} holds no certificates in PEM"),
        (Tls(*good, none), f"{none} cannot be read: No such file"),
        (Tls(*authority.issue("sealed", password=b"secret")), "the key is encrypted"),
        (Tls(), "a server needs a certificate"),
    ]:
        with pytest.raises(TlsError) as caught:
            Identity(tls, server=True)
        assert named in str(caught.value)


def test_changed_files_are_read_again_once_a_second_at_most(authority: Authority) -> None:
    seconds = Seconds()
    identity = Identity(Tls(*authority.issue("server")), server=True, seconds=seconds)
    first = identity.context()
    authority.issue("server")
    assert identity.context() is first
    seconds.now = 1.0
    second = identity.context()
    assert second is not first
    seconds.now = 2.0
    assert identity.context() is second


def test_a_half_written_file_leaves_the_last_good_ones_in_use(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = Seconds()
    certificate, key = authority.issue("server")
    identity = Identity(Tls(certificate, key), server=True, seconds=seconds)
    good, text = identity.context(), Path(key).read_bytes()
    for seconds.now, damage in enumerate([text[: len(text) // 2], b"", None], start=1):
        Path(key).unlink() if damage is None else Path(key).write_bytes(damage)
        assert identity.context() is good
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
    assert "the last good ones stay in use" in caplog.text
    seconds.now = 10.0
    Path(key).write_bytes(text)
    assert identity.context() is not good


def test_a_folder_that_is_swapped_is_noticed(tmp_path: Path) -> None:
    """As Kubernetes changes a mounted secret: a link to another folder, whose files may be of the same size and age."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        authority = Authority(tmp_path / name)
        authority.issue("server")
    link, seconds = tmp_path / "data", Seconds()
    link.symlink_to("one")
    identity = Identity(Tls(str(link / "server.crt"), str(link / "server.key")), server=True, seconds=seconds)
    first = identity.context()
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", link)
    seconds.now = 1.0
    assert identity.context() is not first
    shutil.rmtree(tmp_path / "one")


# Two ends.


def test_both_ends_know_each_other(authority: Authority) -> None:
    client, server = client_of(authority.member("gateway")), server_of(authority.member("ranking"))
    shake(client, server)
    assert (server.principal, client.principal) == ("spiffe://mesh/gateway", "")
    assert server.open(client.seal(b"question")) == b"question"
    assert client.open(server.seal(bytes(100_000))) == bytes(100_000)


def test_a_server_is_known_by_its_id_under_any_host(authority: Authority) -> None:
    client = client_of(authority.member("gateway", peers=("spiffe://mesh/ranking",)), "10.1.2.3")
    shake(client, server_of(authority.member("ranking", hosts=())))
    assert client.principal == "spiffe://mesh/ranking"


def refusal(client: Tls, server: Tls, host: str = "localhost") -> str:
    with pytest.raises(TlsError) as caught:
        shake(client_of(client, host), server_of(server))
    return str(caught.value)


def test_whoever_is_not_expected_is_refused(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    member, server = authority.member("gateway"), authority.member("ranking")
    trusting = Tls(authorities=stranger.file)
    forged = Tls(*stranger.issue("forged", ["spiffe://mesh/gateway"]), authority.file)
    expired = Tls(*authority.issue("expired", ["spiffe://mesh/gateway"], age=7_200), authority.file)
    for one, other, host, reason in [
        (trusting, server, "localhost", "certificate is not accepted: "),
        (member, server, "elsewhere", "certificate is not accepted: hostname mismatch"),
        (authority.member("a", peers=("spiffe://mesh/b",)), server, "", "spiffe://mesh/ranking is none of the peers"),
        (Tls(authorities=authority.file), server, "localhost", "peer did not return a certificate"),
        (forged, server, "localhost", "certificate is not accepted: "),
        (expired, server, "localhost", "certificate is not accepted: certificate has expired"),
        (Tls(*authority.issue("web", hosts=["web"]), authority.file), server, "localhost", "names 0 URIs"),
        (member, authority.member("c", peers=("spiffe://mesh/a",)), "localhost", "gateway is none of the peers"),
    ]:
        assert reason.lower() in refusal(one, other, host).lower()


def test_a_server_of_another_protocol_is_refused(authority: Authority) -> None:
    server = server_of(authority.member("web"))
    server._ssl.context.set_alpn_protocols(["h2"])
    with pytest.raises(TlsError, match="speaks TLS, but not recmesh/1"):
        shake(client_of(authority.member("gateway")), server)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", bytes(100)])
def test_noise_in_place_of_a_handshake_is_an_error(authority: Authority, noise: bytes) -> None:
    with pytest.raises(TlsError):
        server_of(authority.member("ranking")).handshake(noise)


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"x", lambda data: b"\x17\x03\x03\x00\x05hello"])
def test_bytes_that_nobody_sealed_are_an_error(authority: Authority, spoil: Callable[[bytes], bytes]) -> None:
    client, server = client_of(authority.member("gateway")), server_of(authority.member("ranking"))
    shake(client, server)
    with pytest.raises(TlsError):
        server.open(spoil(client.seal(b"question")))


def test_the_end_of_one_end_is_no_error_at_the_other(authority: Authority) -> None:
    client, server = client_of(authority.member("gateway")), server_of(authority.member("ranking"))
    shake(client, server)
    assert server.open(client.seal(b"last") + client.farewell()) == b"last"
    assert server.open(b"") == b""


def test_tls_1_1_is_not_spoken(authority: Authority) -> None:
    assert Identity(authority.member("ranking"), server=True).context().minimum_version == ssl.TLSVersion.TLSv1_2
