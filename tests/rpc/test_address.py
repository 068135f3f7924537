"""Addresses as people write them."""

from __future__ import annotations

import pytest

from recmesh.rpc.address import host_of, join_address, split_address, unix_path


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("localhost:7000", "localhost", 7000), ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:65535", "::1", 65_535)],
)
def test_an_address_is_taken_apart_and_put_together(address: str, host: str, port: int) -> None:
    assert split_address(address) == (host, port)
    assert join_address(host, port) == address


@pytest.mark.parametrize(
    "address", ["", ":7000", "host", "host:", "host:http", "host:65536", "host:-1", "::1:7000", "[::1]", "h:\u0661"]
)
def test_anything_else_is_refused_with_the_remedy(address: str) -> None:
    with pytest.raises(ValueError, match=r"write host:port, or \[::1\]:port"):
        split_address(address)


def test_the_path_of_a_unix_socket() -> None:
    assert unix_path("unix:/run/a b:c") == "/run/a b:c"
    assert unix_path("localhost:7000") == ""


@pytest.mark.parametrize(
    ("address", "remedy"),
    [("unix:", "write unix:/path"), ("unix:/a\0b", "write unix:/path"), ("unix:/" + "a" * 107, "use a shorter one")],
)
def test_a_path_that_no_socket_can_have_is_refused(address: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        unix_path(address)


@pytest.mark.parametrize(
    ("address", "host"),
    [("a.b:1", "a.b"), ("[::1]:1", "::1"), ("unix:/run/x", ""), ("unix:7000", ""), ("tcp:127.0.0.1:1", "")],
)
def test_the_host_that_a_certificate_must_name(address: str, host: str) -> None:
    assert host_of(address) == host
