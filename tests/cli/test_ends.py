"""The command `recmesh`: where it looks for a gateway, and how it ends when something is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recmesh import cli
from recmesh.client import blocking
from recmesh.rpc import Processed, RpcError, Status
from tests.cli.kit import Mesh
from tests.client.fake import late, refused
from tests.rpc.certificates import Authority


def test_an_error_of_the_mesh_is_one_line_and_ends_with_1(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["similar", "no\nsuch\x1bitem"]) == 1
    assert capsys.readouterr().err == "recmesh: NOT_FOUND: no item 'no\\nsuch\\x1bitem' is in the catalogue\n"


def test_a_mesh_that_is_away_names_the_remedy(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    mesh.failures.extend([refused()] * 3)
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err == (
        "recmesh: UNAVAILABLE: no gateway can be reached at 127.0.0.1:7000 (connection refused): start a mesh there, or"
        " give the address of one that runs (--gateway or RECMESH_GATEWAY give another address)\n"
    )


def test_a_mesh_that_answers_unavailable_is_left_to_speak_for_itself(
    mesh: Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RpcError(Status.UNAVAILABLE, "no bundle is loaded everywhere", processed=Processed.YES)
    mesh.failures.extend([error] * 3)  # one an attempt
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err == "recmesh: UNAVAILABLE: no bundle is loaded everywhere\n"


def test_an_address_that_is_no_gateways_names_the_remedy(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    mesh.failures.append(RpcError(Status.UNIMPLEMENTED, "not served", processed=Processed.REFUSED))
    assert cli.main(["status"]) == 1
    assert "--gateway and RECMESH_GATEWAY must give the address of a gateway" in capsys.readouterr().err


def test_a_mesh_that_is_slow_names_the_remedy(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    mesh.failures.extend([late()] * 3)
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err.endswith("(--timeout gives it longer)\n")


def test_the_gateway_is_that_of_the_option_then_that_of_the_environment(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(["status"])
    monkeypatch.setenv("RECMESH_GATEWAY", "a:1,b:2")
    cli.main(["status"])
    cli.main(["--gateway", "c:3", "status"])
    cli.main(["status", "--gateway", "d:4"])
    assert [endpoint.address for endpoint in mesh.endpoints] == ["127.0.0.1:7000", "a:1", "b:2", "c:3", "d:4"]
    assert all(endpoint.closed for endpoint in mesh.endpoints)


def test_certificates_come_from_the_environment(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Authority(tmp_path).member("caller")
    for name in ("certificate", "key", "authorities"):
        monkeypatch.setenv(f"RECMESH_TLS_{name.upper()}", getattr(files, name))
    monkeypatch.setenv("RECMESH_TLS_PEERS", "spiffe://mesh, spiffe://other/gateway")
    assert cli.main(["status"]) == 0
    [identity] = mesh.identities
    assert identity is not None and identity.tls == replace(files, peers=("spiffe://mesh", "spiffe://other/gateway"))
    monkeypatch.setenv("RECMESH_TLS_KEY", str(tmp_path / "none"))
    assert cli.main(["status"]) == 2
    assert f"{tmp_path}/none cannot be read" in capsys.readouterr().err
    monkeypatch.delenv("RECMESH_TLS_KEY")
    assert cli.main(["status"]) == 2
    assert "a certificate needs its key" in capsys.readouterr().err


def test_the_timeout_is_the_option(mesh: Mesh) -> None:
    for options in (["status"], ["--timeout", "5", "status"], ["status", "--timeout", "0.5"]):
        cli.main(options)
    assert [endpoint.contexts[0].deadline for endpoint in mesh.endpoints] == [102.0, 105.0, 100.5]


def test_an_interrupt_ends_without_a_traceback(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(blocking.Client, "status", interrupted)
    assert cli.main(["status"]) == 130


def test_an_argument_that_is_no_text_is_refused(mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recommend", "\udcff"]) == 1
    assert "INVALID_ARGUMENT" in capsys.readouterr().err
