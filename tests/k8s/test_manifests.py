"""Every rendered manifest holds for the API server's schemas and for the checks that schemas cannot make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import kubernetes_validate
import pytest

from tests.k8s import check_network, check_pods
from tests.k8s.cluster import Cluster
from tests.k8s.conftest import KUSTOMIZATIONS, cluster_of

OLDEST: Final = "1.29"  # an earlier one is not served by the clouds; nothing here needs a later one
CHECKS: Final = (*check_pods.CHECKS, *check_network.CHECKS)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_every_document_is_valid_for_the_api_server(kustomization: str, version: str) -> None:
    for document in cluster_of(kustomization).documents:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_every_check_holds(kustomization: str, check: Callable[[Cluster], Iterable[str]]) -> None:
    assert list(check(cluster_of(kustomization))) == []


def test_a_misspelt_field_is_refused(base: Cluster) -> None:
    workload = base.workloads[0]
    workload.pod["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(workload.document, OLDEST, strict=True)


def test_shards_differ_in_their_number_alone(base: Cluster) -> None:
    def text(number: int) -> str:
        named = [d for d in base.documents if d["metadata"]["name"].startswith(f"retrieval-{number}")]
        assert {document["kind"] for document in named} == {
            "ConfigMap",
            "PodDisruptionBudget",
            "Service",
            "StatefulSet",
        }
        manifests = [document for document in named if document["kind"] != "ConfigMap"]
        [config] = [document["data"] for document in named if document["kind"] == "ConfigMap"]
        suffix = next(d["metadata"]["name"] for d in named if d["kind"] == "ConfigMap")
        return repr([manifests, config]).replace(suffix, f"retrieval-{number}")

    alike = (
        text(0).replace("retrieval-0", "retrieval-1").replace("shard = 0", "shard = 1").replace("Shard 0", "Shard 1")
    )
    assert alike.replace("'recmesh/shard': '0'", "'recmesh/shard': '1'") == text(1)
