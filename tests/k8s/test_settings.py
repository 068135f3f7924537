"""The processes understand the settings that the manifests mount."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from recmesh.ops.settings import load
from tests.k8s.cluster import Cluster, Workload
from tests.k8s.conftest import K8S, KUSTOMIZATIONS, cluster_of


def _settings(cluster: Cluster, workload: Workload, node_id: str, path: str) -> Any:
    module = importlib.import_module(f"{workload.container['command'][2]}.settings")
    return load(module.Settings, path, {"RECMESH_NODE_ID": node_id})


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_every_process_takes_its_settings(kustomization: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    cluster = cluster_of(kustomization)
    for workload in cluster.servers:
        file = tmp_path_factory.mktemp(workload.name) / "settings.toml"
        file.write_text(cluster.config_text(workload) or "")
        told = _settings(cluster, workload, workload.name, str(file))
        assert told.admin_address == told.admin


def test_a_replica_takes_the_others_for_its_peers_and_not_itself(base: Cluster) -> None:
    for workload in base.servers:
        if workload.name.startswith("retrieval-"):
            path = str(K8S / "base" / "config" / f"{workload.name}.toml")
            for ordinal, own in enumerate(base.addresses(workload)):
                told = _settings(base, workload, f"{workload.name}-{ordinal}", path)
                assert set(told.other_replicas) == set(base.addresses(workload)) - {own}
