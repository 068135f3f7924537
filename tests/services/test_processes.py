"""Services as processes: what they print, how they stop, and what they say when they cannot start."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from recmesh.rpc import Channel, blocking
from recmesh.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from recmesh.v1.health_rpc import HealthStub
from recmesh.v1.models_pb2 import ListModelsRequest
from recmesh.v1.models_rpc import ModelsStub
from tests.services.processes import Running, configuration, refused, running

SERVICES = ["embedding", "retrieval", "ranking", "feedback"]

pytestmark = pytest.mark.system


def health(channel: Channel, service: str) -> int:
    return blocking.run(HealthStub(channel).check(HealthCheckRequest(service=service))).status


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_serves_until_it_is_asked_to_stop(service: str, tmp_path: Path, bundle: Path) -> None:
    told = {
        "node_id": f"{service}-0-1",
        "log": "json",
        "access_log_share": 0.0,
    }  # one call in a hundred would be a line
    config = configuration(tmp_path, service, bundle, **told)
    with running(service, config) as process:
        assert process.said["name"] == f"{service}-0-1" and process.said["pid"] == process.process.pid
        assert process.ask("/healthz")[0] == process.ask("/readyz")[0] == 200
        with process.channel() as channel:
            assert health(channel, f"recmesh.v1.{service.title()}") == HealthCheckResponse.SERVING
            models = blocking.run(ModelsStub(channel).list(ListModelsRequest())).models
            assert [model.version for model in models] == [bundle.name]
        metrics = process.ask("/metrics")[1]
        assert 'rpc_server_call_duration_seconds_count{method="/recmesh.v1.Models/List",code="OK"} 1' in metrics
        code, log = process.stop()
    assert code == 0
    messages = [json.loads(line)["message"] for line in log.splitlines()]
    assert messages[-3:] == ["serving", "draining", "stopped"]


def test_an_interrupt_stops_a_process_as_well(tmp_path: Path, bundle: Path) -> None:
    with running("ranking", configuration(tmp_path, "ranking", bundle)) as process:
        assert process.stop(signal.SIGINT)[0] == 0


def test_a_draining_process_says_so_and_still_answers(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "ranking", bundle, drain_accept_seconds=60.0)
    with running("ranking", config) as process:
        process.process.send_signal(signal.SIGTERM)
        _await_answer(process, "/readyz", (503, "not serving: draining\n"))
        assert process.ask("/healthz")[0] == 200
        with process.channel() as channel:
            assert health(channel, "") == HealthCheckResponse.NOT_SERVING
            assert blocking.run(ModelsStub(channel).list(ListModelsRequest())).models
        assert process.stop()[0] == 128 + signal.SIGTERM  # a second signal stops at once


def _await_answer(process: Running, path: str, expected: tuple[int, str]) -> None:
    while process.ask(path) != expected:
        assert process.process.poll() is None


@pytest.mark.parametrize("key", ["listen", "admin"])
def test_a_taken_port_is_named_with_the_remedy(key: str, tmp_path: Path, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        config = configuration(tmp_path, "ranking", bundle, **{"admin": "127.0.0.1:0", key: address})
        line = refused("ranking", config)
    assert line == f"{address} is in use: stop the other process or set {key}"


def test_an_address_of_another_machine_is_refused(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "ranking", bundle, listen="192.0.2.1:7300", admin="127.0.0.1:0")
    assert refused("ranking", config).startswith("192.0.2.1:7300 cannot be listened on: ")


@pytest.mark.parametrize("service", ["retrieval", "feedback"])
def test_a_missing_bundle_is_named_with_the_remedy(service: str, tmp_path: Path) -> None:
    line = refused(service, configuration(tmp_path, service, tmp_path / "none"))
    assert line.startswith(f"{tmp_path / 'none'}: no such directory; name a bundle, or fit one with")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def alter(file: Path) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("history_items.npy", truncate),
        ("history_items.npy", alter),
        ("users.parquet", Path.unlink),
        ("manifest.json", truncate),
    ],
)
def test_a_spoilt_bundle_is_refused_by_the_name_of_its_file(
    name: str, spoil: Callable[[Path], None], tmp_path: Path, bundle: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    spoil(copy / name)
    assert str(copy / name) in refused("feedback", configuration(tmp_path, "feedback", copy))


def test_a_bundle_of_another_format_is_refused(tmp_path: Path, bundle: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"format_version": 99}))
    assert "format version 99" in refused("ranking", configuration(tmp_path, "ranking", copy))


def test_a_misspelt_key_is_named_with_the_right_one(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "retrieval", bundle, shrads=2)
    assert refused("retrieval", config).startswith(f"{config}:4: unknown key 'shrads'; did you mean 'shards'?")


def test_a_shard_outside_its_range_is_refused(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "retrieval", bundle, shard=2, shards=2)
    assert refused("retrieval", config) == f"{config}:4: shard = 2 is outside 0 to 1"


def test_state_that_another_process_uses_is_refused(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "feedback", bundle)
    with running("feedback", config):
        assert "is in use by another process: stop it or set state" in refused("feedback", config)


@pytest.mark.parametrize(("shard", "shards"), [(1, 2), (0, 4)])
def test_state_of_another_shard_is_refused(shard: int, shards: int, tmp_path: Path, bundle: Path) -> None:
    with running("retrieval", configuration(tmp_path, "retrieval", bundle, shard=0, shards=2)) as process:
        process.stop()
    line = refused("retrieval", configuration(tmp_path, "retrieval", bundle, shard=shard, shards=shards))
    assert line == (
        f"{tmp_path / 'state' / 'catalogue.sqlite'} belongs to shard 0 of 2, and this process is shard {shard} of "
        f"{shards}: set state to this shard's folder, or to an empty one and put the items again"
    )
