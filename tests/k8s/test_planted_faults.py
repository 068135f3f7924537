"""Each check finds the fault it is there for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.k8s import check_network, check_pods
from tests.k8s.cluster import Cluster
from tests.k8s.conftest import cluster_of

POD: Final = "spec/template/spec"
CONTAINER: Final = f"{POD}/containers/0"
REMOVED: Final = object()


@dataclass(frozen=True)
class Fault:
    """`check` must complain of a document whose value at `path` is `value`."""

    check: Callable[[Cluster], Iterable[str]]
    kind: str
    name: str
    path: str
    value: Any

    def __str__(self) -> str:
        return f"{self.check.__name__}-{self.kind}-{self.name}-{self.path.rpartition('/')[2]}"


def _pods(check: Callable[[Cluster], Iterable[str]], name: str, path: str, value: Any) -> Fault:
    return Fault(check, "Deployment" if name == "gateway" else "StatefulSet", name, path, value)


FAULTS: Final = (
    Fault(check_pods.names, "Service", "ranking", "metadata/name", "feedback"),
    Fault(check_pods.names, "Service", "ranking", "metadata/name", "Ranking"),
    _pods(check_pods.names, "ranking", "metadata/name", "r" * 53),
    _pods(check_pods.images, "ranking", f"{CONTAINER}/image", "recmesh:0.2.0"),
    _pods(check_pods.images, "gateway", f"{CONTAINER}/image", "recmesh"),
    _pods(check_pods.selectors, "ranking", "spec/selector/matchLabels", {"app.kubernetes.io/name": "embedding"}),
    _pods(check_pods.selectors, "retrieval-1", "spec/selector/matchLabels", {"app.kubernetes.io/name": "retrieval"}),
    _pods(check_pods.selectors, "gateway", "spec/template/metadata/labels", {"app.kubernetes.io/name": "door"}),
    _pods(
        check_pods.selectors,
        "ranking",
        f"{POD}/topologySpreadConstraints/0/labelSelector/matchLabels",
        {"app.kubernetes.io/name": "rank"},
    ),
    _pods(check_pods.probes, "feedback", f"{CONTAINER}/readinessProbe", REMOVED),
    _pods(check_pods.probes, "feedback", f"{CONTAINER}/livenessProbe/httpGet/path", "/readyz"),
    _pods(check_pods.probes, "feedback", f"{CONTAINER}/startupProbe/httpGet/port", "health"),
    _pods(check_pods.probes, "feedback", f"{CONTAINER}/ports/1/name", "metrics"),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/args/1", "/etc/recmesh/feedbacks.toml"),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/ports/0/containerPort", 7401),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/ports/1/containerPort", 7451),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/volumeMounts/1/readOnly", False),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/volumeMounts/2/mountPath", "/var/state"),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/volumeMounts/2/name", "tmp"),
    _pods(check_pods.settings, "feedback", f"{CONTAINER}/env", []),
    _pods(check_pods.volumes, "feedback", f"{CONTAINER}/volumeMounts/2/name", "stat"),
    _pods(check_pods.volumes, "feedback", "spec/volumeClaimTemplates", REMOVED),
    _pods(check_pods.volumes, "feedback", f"{POD}/volumes/1/persistentVolumeClaim/claimName", "model"),
    _pods(check_pods.volumes, "feedback", f"{POD}/volumes/0/configMap/name", "feedback"),
    _pods(check_pods.quantities, "gateway", f"{CONTAINER}/resources/limits", REMOVED),
    _pods(check_pods.quantities, "gateway", f"{CONTAINER}/resources/requests/memory", "256M1"),
    _pods(check_pods.quantities, "gateway", f"{CONTAINER}/resources/requests/memory", "2Gi"),
    _pods(check_pods.quantities, "gateway", f"{POD}/volumes/1/emptyDir/sizeLimit", "64MB"),
    Fault(check_pods.quantities, "PersistentVolumeClaim", "models", "spec/resources/requests/storage", "ten"),
    _pods(check_pods.grace, "gateway", f"{POD}/terminationGracePeriodSeconds", 25),
    _pods(check_pods.hardening, "gateway", f"{POD}/securityContext/runAsNonRoot", REMOVED),
    _pods(check_pods.hardening, "gateway", f"{POD}/securityContext/runAsUser", 0),
    _pods(check_pods.hardening, "feedback", f"{POD}/securityContext/fsGroup", REMOVED),
    _pods(check_pods.hardening, "gateway", f"{POD}/securityContext/seccompProfile", REMOVED),
    _pods(check_pods.hardening, "gateway", f"{CONTAINER}/securityContext/allowPrivilegeEscalation", True),
    _pods(check_pods.hardening, "gateway", f"{CONTAINER}/securityContext/readOnlyRootFilesystem", False),
    _pods(check_pods.hardening, "gateway", f"{CONTAINER}/securityContext/capabilities/drop", ["NET_RAW"]),
    _pods(check_pods.hardening, "gateway", f"{POD}/automountServiceAccountToken", REMOVED),
    _pods(check_pods.hardening, "gateway", f"{POD}/enableServiceLinks", REMOVED),
    Fault(check_network.services, "Service", "gateway", "spec/selector", {"app.kubernetes.io/name": "door"}),
    Fault(check_network.services, "Service", "retrieval-0", "spec/selector", {"app.kubernetes.io/name": "retrieval"}),
    Fault(check_network.services, "Service", "ranking", "spec/ports/0/targetPort", "grpc"),
    Fault(check_network.services, "Service", "ranking", "spec/ports/0/port", 7301),
    Fault(check_network.services, "Service", "ranking", "spec/clusterIP", REMOVED),
    _pods(check_network.services, "ranking", "spec/serviceName", "rank"),
    Fault(check_network.budgets, "PodDisruptionBudget", "ranking", "spec/selector/matchLabels", {"app": "ranking"}),
    Fault(check_network.budgets, "PodDisruptionBudget", "ranking", "spec/maxUnavailable", 2),
    _pods(check_network.budgets, "feedback", "spec/replicas", 2),
    _pods(check_network.upstreams, "embedding", "spec/replicas", 3),
    _pods(check_network.upstreams, "ranking", "spec/replicas", 1),
    _pods(check_network.upstreams, "retrieval-1", "spec/replicas", 3),
    _pods(check_network.upstreams, "retrieval-1", "metadata/name", "retrieval-2"),
    Fault(check_network.upstreams, "Service", "feedback", "metadata/name", "events"),
    _pods(check_network.shards, "retrieval-0", "spec/replicas", 3),
    _pods(check_network.policies, "ranking", f"{CONTAINER}/ports/0/containerPort", 7301),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-deny", "spec/policyTypes", ["Ingress"]),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-dns", "spec/egress/0/ports/0/port", 5353),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-gateway", "spec/egress/2/ports/0/port", 7200),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-ranking", "spec/ingress", []),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-retrieval", "spec/egress", []),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-metrics", "spec/ingress/0/ports", []),
)

SETTINGS_FAULTS: Final = (
    (check_pods.settings, "embedding", "0.0.0.0:7100", "0.0.0.0:7101"),
    (check_pods.settings, "embedding", '"/models/', '"/model/'),
    (check_pods.grace, "feedback", "listen", "drain_grace_seconds = 24.0\nlisten"),
    (check_network.upstreams, "gateway", "ranking-1.ranking:7300", "ranking-2.ranking:7300"),
    (check_network.upstreams, "gateway", "feedback-0.feedback:7400", "feedback-0.feedback:7401"),
    (check_network.upstreams, "gateway", "retrieval-1-1.retrieval-1", "retrieval-1-1.retrieval-0"),
    (check_network.shards, "retrieval-1", "shard = 1", "shard = 0"),
    (check_network.shards, "retrieval-0", "shards = 2", "shards = 3"),
    (check_network.shards, "retrieval-0", "retrieval-0-1.", "retrieval-1-1."),
    (check_network.policies, "gateway", "ranking-1.ranking:7300", "ranking-1.ranking:7301"),
    (check_network.policies, "retrieval-0", "retrieval-0-1.retrieval-0:7200", "ranking-1.ranking:7300"),
)


SLICES_FAULTS: Final = (
    _pods(check_network.api_access, "gateway", f"{POD}/automountServiceAccountToken", False),
    _pods(check_network.api_access, "gateway", f"{POD}/serviceAccountName", "default"),
    Fault(check_network.api_access, "ServiceAccount", "gateway", "metadata/name", "door"),
    Fault(check_network.api_access, "Role", "endpoint-slices", "rules/0/verbs", ["get", "list"]),
    Fault(check_network.api_access, "Role", "endpoint-slices", "rules/0/resources", ["*"]),
    Fault(check_network.api_access, "RoleBinding", "gateway-endpoint-slices", "subjects/0/name", "default"),
    Fault(check_network.api_access, "RoleBinding", "gateway-endpoint-slices", "roleRef/name", "slices"),
    Fault(check_network.api_access, "NetworkPolicy", "recmesh-api-server", "spec/egress", []),
    Fault(check_network.upstreams, "Service", "ranking", "metadata/name", "rank"),
    Fault(check_network.upstreams, "Service", "ranking", "spec/ports/0/name", "grpc"),
    Fault(check_network.policies, "NetworkPolicy", "recmesh-ranking", "spec/ingress", []),
)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_check_finds_a_fault_in_the_manifests(base: Cluster, fault: Fault) -> None:
    assert list(planted(base, fault))


@pytest.mark.parametrize("fault", SLICES_FAULTS, ids=str)
def test_a_check_finds_a_fault_where_the_gateway_follows_slices(fault: Fault) -> None:
    assert list(planted(cluster_of("overlays/endpoint-slices"), fault))


def planted(base: Cluster, fault: Fault) -> Iterable[str]:
    document = base.named(fault.kind, fault.name)
    assert document is not None
    *parents, last = (int(step) if step.isdigit() else step for step in fault.path.split("/"))
    place: Any = document
    for step in parents:
        place = place[step]
    if fault.value is REMOVED:
        del place[last]
    else:
        assert place[last] != fault.value
        place[last] = fault.value
    return fault.check(base)


@pytest.mark.parametrize(("check", "workload", "text", "wrong"), SETTINGS_FAULTS)
def test_a_check_finds_a_fault_in_the_settings(
    base: Cluster, check: Callable[[Cluster], Iterable[str]], workload: str, text: str, wrong: str
) -> None:
    [config] = [
        document for document in base.of_kind("ConfigMap") if document["metadata"]["name"].startswith(f"{workload}-")
    ]
    [file] = config["data"]
    assert text in config["data"][file]
    config["data"][file] = config["data"][file].replace(text, wrong, 1)
    assert list(check(base))
