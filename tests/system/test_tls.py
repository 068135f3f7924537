"""A whole mesh under mutual TLS, told so by three variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmesh.client import RpcError, Status, blocking
from recmesh.rpc.tls import Tls
from tests.rpc.certificates import Authority
from tests.system.mesh import running

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_every_connection_has_a_certificate_at_each_end(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    node, caller = authority.member("node"), authority.member("caller")
    monkeypatch.setenv("RECMESH_TLS_CERTIFICATE", node.certificate)
    monkeypatch.setenv("RECMESH_TLS_KEY", node.key)
    monkeypatch.setenv("RECMESH_TLS_AUTHORITIES", node.authorities)
    monkeypatch.setenv("RECMESH_TLS_PEERS", "spiffe://mesh")
    with running(bundle, tmp_path, shards=1, replicas=1) as mesh:
        with blocking.Client(mesh.gateway, tls=caller, timeout=10.0) as client:
            answer = client.recommend("1")
            assert len(answer.items) == 10 and not answer.degraded
        for tls in (None, Tls(authorities=caller.authorities)):
            with blocking.Client(mesh.gateway, tls=tls) as client, pytest.raises(RpcError) as caught:
                client.recommend("1")
            assert caught.value.status == Status.UNAVAILABLE
