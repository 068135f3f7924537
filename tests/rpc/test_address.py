"""Addresses as people write them."""

from __future__ import annotations

import pytest

from recmesh.rpc.address import join_address, split_address


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
