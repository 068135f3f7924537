"""The commands, arguments and settings of the manifests make a mesh that answers, changes its bundle and stops."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from recmesh.client import blocking
from tests.k8s.cluster import Cluster, Workload
from tests.k8s.conftest import K8S, ROOT, cluster_of
from tests.k8s.processes import Running, command_of, start, upstream_variables
from tests.training.planted import write_planted

pytestmark = pytest.mark.system

FIT_SECONDS: Final = 60.0
LOAD_SECONDS: Final = 60.0
SWITCH_SECONDS: Final = 30.0  # many times the gateway's interval of asking


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return cluster_of("base")


@pytest.fixture(scope="module")
def models(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Job leaves in the models volume, and the link that the settings name."""
    volumes = tmp_path_factory.mktemp("volumes")
    write_planted(volumes / "datasets" / "ml-latest-small")
    (volumes / "models" / "current").parent.mkdir()
    (volumes / "models" / "current").symlink_to(Path("ml-latest-small") / _fit(cluster, volumes))
    return volumes / "models"


def _fit(cluster: Cluster, volumes: Path, *more: str) -> str:
    """The version the Job's command writes."""
    [job] = [workload for workload in cluster.workloads if workload.kind == "Job"]
    folders = {"/datasets": str(volumes / "datasets"), "/models": str(volumes / "models")}
    command = [*command_of(job, folders), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=FIT_SECONDS, check=True)
    return Path(done.stdout.splitlines()[-1]).name


@pytest.fixture(scope="module")
def mesh(cluster: Cluster, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """The first pod of every workload, the gateway last."""
    scratch = tmp_path_factory.mktemp("pods")
    with ExitStack() as cleanup:

        def begin(workload: Workload, over: dict[str, str]) -> Running:
            running = start(workload, scratch, over)
            cleanup.callback(running.kill)
            return running

        services = [workload for workload in cluster.servers if workload.name != "gateway"]
        pods = {workload.name: begin(workload, _folders(cluster, workload, models, scratch)) for workload in services}
        for running in pods.values():
            running.await_serving()
        started = {cluster.addresses(pod.workload)[0]: pod.address for pod in pods.values()}
        [gateway] = [workload for workload in cluster.servers if workload.name == "gateway"]
        pods["gateway"] = begin(gateway, upstream_variables(cluster.config(gateway)["upstreams"], started))
        pods["gateway"].await_serving()
        yield pods


def _folders(cluster: Cluster, workload: Workload, models: Path, scratch: Path) -> dict[str, str]:
    told, over = cluster.config(workload), {}
    if "bundle" in told:
        over["RECMESH_BUNDLE"] = told["bundle"].replace("/models", str(models))
    if "state" in told:
        over["RECMESH_STATE"] = str(scratch / workload.name)
    if "peers" in told:
        over["RECMESH_PEERS"] = ""  # the other replica does not run here
    return over


def test_every_process_passes_its_probes(mesh: dict[str, Running]) -> None:
    for running in mesh.values():
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert running.probe(running.workload.container[probe]["httpGet"]["path"]) == 200, running.workload.name


def test_the_mesh_answers_from_both_shards(mesh: dict[str, Running]) -> None:
    with blocking.Client(mesh["gateway"].address) as client:
        answer = client.recommend("u3", count=5)
    assert len(answer.items) == 5
    assert not answer.degraded
    assert (answer.shards_answered, answer.shards_total) == (2, 2)


def test_a_new_bundle_comes_into_service_without_a_restart(
    cluster: Cluster, mesh: dict[str, Running], models: Path, tmp_path: Path
) -> None:
    version = _fit(cluster, models.parent, "--seed", "1")
    config = tmp_path / "gateway.toml"
    config.write_text(_upstreams_as_started(mesh))
    with blocking.Client(mesh["gateway"].address) as client:
        before = client.recommend("u3").bundle_version
        assert before != version
        assert _changed("load", version, config) == 5
        limit = time.monotonic() + SWITCH_SECONDS
        while (now := client.recommend("u3").bundle_version) != version:
            assert now == before and time.monotonic() < limit
        assert _changed("unload", before, config) == 5
        assert client.recommend("u3").bundle_version == version


def test_a_version_that_is_not_there_is_refused_by_every_process(mesh: dict[str, Running], tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(_upstreams_as_started(mesh))
    done = _load_bundle("load", "0123456789ab", config)
    assert done.returncode == 1
    assert done.stdout.count("there is no bundle version '0123456789ab'") == 5


def _upstreams_as_started(mesh: dict[str, Running]) -> str:
    lines = [f"{name} = {[mesh[name].address]}" for name in ("embedding", "ranking", "feedback")]
    shards = [[mesh[name].address] for name in ("retrieval-0", "retrieval-1")]
    return "\n".join(["[upstreams]", *lines, f"retrieval = {shards}"])


def _changed(what: str, version: str, config: Path) -> int:
    """How many processes said that they did."""
    done = _load_bundle(what, version, config)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.count(f": {what}ed\n")


def _load_bundle(what: str, version: str, config: Path) -> subprocess.CompletedProcess[str]:
    """The script from standard input, as an operator gives it to the gateway's pod."""
    script = (K8S / "load_bundle.py").read_text()
    command = [sys.executable, "-", what, version, "--config", str(config)]
    return subprocess.run(
        command, cwd=ROOT, input=script, capture_output=True, text=True, timeout=LOAD_SECONDS, check=False
    )


def test_sigterm_drains_every_process_within_its_grace(mesh: dict[str, Running]) -> None:
    for running in mesh.values():
        running.ask_to_stop()
    for running in mesh.values():
        while (status := running.probe("/readyz")) == 200:
            assert running.process.poll() is None
        assert (status, running.probe("/healthz")) == (503, 200), running.workload.name
    for running in mesh.values():
        grace = running.workload.pod["terminationGracePeriodSeconds"]
        running.process.communicate(timeout=grace)
        assert running.process.returncode == 0, running.log.read_text()
