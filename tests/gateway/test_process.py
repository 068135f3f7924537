"""The gateway as a process, without any service to ask."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recmesh.mesh.quota import RETRY_INFO
from recmesh.rpc import Channel, RpcError, Status, blocking
from recmesh.v1.common_pb2 import Event
from recmesh.v1.recommender_pb2 import RecommendRequest, RecordFeedbackRequest, StatusRequest
from recmesh.v1.recommender_rpc import RecommenderStub

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds; only a process that hangs is waited for so long
NOBODY = "127.0.0.1:1"  # a port that needs privileges, as the next ones do, and that nobody listens on
CONFIGURATION = f"""
listen = "127.0.0.1:0"
start_seconds = 0.0
drain_accept_seconds = 0.0

[upstreams]
embedding = ["127.0.0.1:2"]
ranking = ["127.0.0.1:3"]
feedback = ["{NOBODY}"]
retrieval = [["127.0.0.1:4"]]
"""


@contextmanager
def gateway(folder: Path, configuration: str = CONFIGURATION) -> Iterator[subprocess.Popen[str]]:
    path = folder / "gateway.toml"
    path.write_text(configuration)
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "--config", str(path)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("RECMESH_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def metrics(admin: str) -> str:
    connection = http.client.HTTPConnection(admin, timeout=PATIENCE)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_gateway_alone_serves_says_what_is_missing_and_stops(tmp_path: Path) -> None:
    with gateway(tmp_path) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["name"] == "gateway" and said["pid"] == process.pid
        endpoint = blocking.Endpoint(said["address"])
        stub = RecommenderStub(Channel(endpoint))
        status = blocking.run(stub.status(StatusRequest()))
        assert not status.serving and len(status.upstreams) == 4
        with pytest.raises(RpcError, match="no bundle version is loaded by every service") as caught:
            blocking.run(stub.recommend(RecommendRequest(user_id="u")))
        assert caught.value.status is Status.UNAVAILABLE
        events = RecordFeedbackRequest(events=[Event(user_id="u", item_id="i")])
        with pytest.raises(RpcError, match=f"feedback is away: UNAVAILABLE: {NOBODY} cannot be reached"):
            blocking.run(stub.record_feedback(events))
        shown = metrics(said["admin"])
        for line in ("recmesh_admission_limit 20\n", "recmesh_gateway_quality 1\n", "recmesh_lag_seconds "):
            assert line in shown
        blocking.run(endpoint.close())
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and "Traceback" not in log


def test_a_gateway_holds_its_callers_to_their_quota(tmp_path: Path) -> None:
    with gateway(tmp_path, f"quota_per_second = 0.01\n{CONFIGURATION}") as process:
        assert process.stdout is not None
        endpoint = blocking.Endpoint(json.loads(process.stdout.readline())["address"])
        stub = RecommenderStub(Channel(endpoint))
        with pytest.raises(RpcError, match="no bundle version is loaded"):
            blocking.run(stub.recommend(RecommendRequest(user_id="u")))
        with pytest.raises(RpcError, match=r"the quota is 0\.01 calls a second") as caught:
            blocking.run(stub.recommend(RecommendRequest(user_id="u")))
        for _ in range(3):  # whoever asks how the mesh is
            assert not blocking.run(stub.status(StatusRequest())).serving
        blocking.run(endpoint.close())
    error = caught.value
    assert error.status is Status.RESOURCE_EXHAUSTED and (error.pushback_ms or 0) > 90_000
    assert [each.type_url for each in error.details] == [RETRY_INFO]


def test_settings_that_cannot_be_used_end_the_process_with_one_line(tmp_path: Path) -> None:
    with gateway(tmp_path, CONFIGURATION.replace("[[", "[[], [")) as process:
        out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2 and not out
    [line] = errors.splitlines()
    assert "retrieval has a shard without an address" in line and "gateway.toml:" in line
