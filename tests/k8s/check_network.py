"""What a schema cannot say about Services, budgets, addresses and network policies: a sentence for every fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tests.k8s.cluster import Cluster, Workload, matches

GATEWAY: Final = "gateway"
SLICES: Final = {
    "apiGroups": ["discovery.k8s.io"],
    "resources": ["endpointslices"],
    "verbs": ["get", "list", "watch"],
}
API_PORTS: Final = tuple({"protocol": "TCP", "port": port} for port in (443, 6443))


def services(cluster: Cluster) -> Iterator[str]:
    """A Service picks the pods of one workload, and its ports are theirs; a StatefulSet's own is headless."""
    for service in cluster.of_kind("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        found = cluster.selected(spec["selector"])
        if len(found) != 1:
            yield f"Service {name} picks {[workload.name for workload in found]}"
        for port in spec["ports"]:
            for workload in found:
                if workload.ports.get(port["targetPort"]) != port["port"]:
                    yield f"Service {name}: {port['targetPort']} {port['port']} is not a port of {workload.name}"
    for workload in cluster.servers:
        if workload.kind == "StatefulSet" and not cluster.addresses(workload):
            yield f"{workload.name}: no headless Service gives its pods their names"


def budgets(cluster: Cluster) -> Iterator[str]:
    """Draining nodes takes one pod of a replicated workload at a time."""
    covered = []
    for budget in cluster.of_kind("PodDisruptionBudget"):
        found = [workload.name for workload in cluster.selected(budget["spec"]["selector"])]
        covered += found
        if len(found) != 1 or budget["spec"].get("maxUnavailable") != 1:
            yield f"PodDisruptionBudget {budget['metadata']['name']} picks {found}, {budget['spec']}"
    for workload in cluster.servers:
        if workload.replicas > 1 and workload.name not in covered:
            yield f"{workload.name}: {workload.replicas} replicas without a PodDisruptionBudget"


def upstreams(cluster: Cluster) -> Iterator[str]:
    """The gateway names every pod of every service, and no other."""
    told = _upstreams(cluster)
    for service in ("embedding", "ranking", "feedback"):
        workloads = [workload for workload in cluster.servers if workload.name == service]
        expected = [address for workload in workloads for address in cluster.addresses(workload)]
        if _resolved(cluster, told.get(service, ())) != expected or not expected:
            yield f"upstreams.{service} = {told.get(service)}, the pods are {expected}"
    expected_shards = [cluster.addresses(shard) for shard in _shards(cluster)]
    if [_resolved(cluster, each) for each in told.get("retrieval", ())] != expected_shards or not expected_shards:
        yield f"upstreams.retrieval = {told.get('retrieval')}, the pods are {expected_shards}"


def shards(cluster: Cluster) -> Iterator[str]:
    """Every shard knows its number, how many there are, and its own replicas."""
    workloads = _shards(cluster)
    for number, workload in enumerate(workloads):
        told = cluster.config(workload)
        if (told.get("shard"), told.get("shards")) != (number, len(workloads)):
            yield f"{workload.name}: {told.get('shard')} of {told.get('shards')}, not {number} of {len(workloads)}"
        if told.get("peers") != cluster.addresses(workload):
            yield f"{workload.name}: peers = {told.get('peers')}, its replicas are {cluster.addresses(workload)}"


def policies(cluster: Cluster) -> Iterator[str]:
    """Everything is closed to begin with, and every address that a setting names is open at both ends."""
    for workload in cluster.workloads:
        closed = {way for policy in _applying(cluster, workload) for way in policy.get("policyTypes", ())}
        if closed != {"Ingress", "Egress"}:
            yield f"{workload.name}: only {sorted(closed)} is closed by default"
    for caller, address in _links(cluster):
        callee = cluster.owner(address)
        port = int(address.rpartition(":")[2])
        if callee is None:
            yield f"{caller.name} -> {address}: no such pod"
        elif not _allowed(cluster, caller, "egress", "to", callee, port):
            yield f"{caller.name} -> {address}: no policy lets it out"
        elif not _allowed(cluster, callee, "ingress", "from", caller, port):
            yield f"{caller.name} -> {address}: no policy lets it in"
    for caller in {caller.name: caller for caller, _ in _links(cluster)}.values():
        if not _resolves_names(cluster, caller):
            yield f"{caller.name}: may not ask for names"
    for workload in cluster.servers:
        if not _measured(cluster, workload):
            yield f"{workload.name}: its metrics are out of reach"


def _upstreams(cluster: Cluster) -> Mapping[str, Any]:
    gateways = [workload for workload in cluster.servers if workload.name == GATEWAY]
    told: Mapping[str, Any] = cluster.config(gateways[0]).get("upstreams", {}) if gateways else {}
    return told


def _shards(cluster: Cluster) -> list[Workload]:
    found = [workload for workload in cluster.servers if workload.name.startswith("retrieval-")]
    return sorted(found, key=lambda workload: int(workload.name.rpartition("-")[2]))


def _links(cluster: Cluster) -> Iterator[tuple[Workload, str]]:
    """Who calls which address, by the settings."""
    for workload in cluster.servers:
        for source in cluster.sources(workload):
            yield from ((workload, address) for address in cluster.resolved(source))


def _resolved(cluster: Cluster, sources: Iterable[str]) -> list[str]:
    return [address for source in sources for address in cluster.resolved(source)]


def _applying(cluster: Cluster, workload: Workload) -> list[Mapping[str, Any]]:
    specs = [policy["spec"] for policy in cluster.of_kind("NetworkPolicy")]
    return [spec for spec in specs if matches(spec["podSelector"], workload.labels)]


def _rules(cluster: Cluster, workload: Workload, way: str) -> Iterator[Mapping[str, Any]]:
    for spec in _applying(cluster, workload):
        yield from spec.get(way, ())


def _allowed(cluster: Cluster, workload: Workload, way: str, side: str, other: Workload, port: int) -> bool:
    return any(
        {"protocol": "TCP", "port": port} in rule["ports"]
        and any(
            "namespaceSelector" not in peer and matches(peer["podSelector"], other.labels)
            for peer in rule.get(side, ())
        )
        for rule in _rules(cluster, workload, way)
    )


def _resolves_names(cluster: Cluster, workload: Workload) -> bool:
    asked = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return any(all(port in rule["ports"] for port in asked) for rule in _rules(cluster, workload, "egress"))


def _measured(cluster: Cluster, workload: Workload) -> bool:
    port = {"protocol": "TCP", "port": workload.ports.get("admin")}
    return any(
        port in rule["ports"] and any("namespaceSelector" in peer for peer in rule["from"])
        for rule in _rules(cluster, workload, "ingress")
    )


def api_access(cluster: Cluster) -> Iterator[str]:
    """Who asks the API server where pods are has a token, may do that and nothing else, and reaches it."""
    for workload in cluster.servers:
        if any(source.startswith("kubernetes:") for source in cluster.sources(workload)):
            account = workload.pod.get("serviceAccountName", "default")
            if cluster.named("ServiceAccount", account) is None:
                yield f"{workload.name}: there is no ServiceAccount {account}"
            if workload.pod.get("automountServiceAccountToken") is not True:
                yield f"{workload.name}: has no token to ask the API server with"
            if (rules := list(_rights(cluster, account))) != [SLICES]:
                yield f"{workload.name}: {account} may {rules}"
            if not any(port in rule["ports"] for rule in _rules(cluster, workload, "egress") for port in API_PORTS):
                yield f"{workload.name}: no policy lets it out to the API server"


def _rights(cluster: Cluster, account: str) -> Iterator[Mapping[str, Any]]:
    """The rules of all roles that are bound to a service account."""
    for binding in cluster.of_kind("RoleBinding"):
        if {"kind": "ServiceAccount", "name": account} in binding["subjects"]:
            role = cluster.named(binding["roleRef"]["kind"], binding["roleRef"]["name"])
            yield from role["rules"] if role is not None else ()


CHECKS: Final = (services, budgets, upstreams, shards, policies, api_access)
