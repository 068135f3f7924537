"""What a schema cannot say about workloads: each check returns a sentence for every fault."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, Final

from recmesh.ops.settings import ADMIN_OFFSET, ProcessSettings
from tests.k8s.cluster import Cluster, Workload, matches, walk
from tests.k8s.kustomize import Document

QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
UNITS: Final = {
    None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip
DNS_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# A StatefulSet's name, a dash and a hash of ten become a label of its pods, which has 63 characters at most.
LONGEST_NAME: Final = 52
STOPPING: Final = 2.0  # seconds left between the end of a drain and SIGKILL, to close files


def names(cluster: Cluster) -> Iterator[str]:
    """Names are unique in their kind and fit to be host names."""
    seen = set()
    for document in cluster.documents:
        kind, name = document["kind"], document["metadata"]["name"]
        if (kind, name) in seen:
            yield f"{kind} {name} stands twice"
        seen.add((kind, name))
        if not DNS_LABEL.fullmatch(name) or len(name) > LONGEST_NAME:
            yield f"{kind} {name}: no name for a host"


def images(cluster: Cluster) -> Iterator[str]:
    """One image, with a tag that stands for one build."""
    used = {workload.container["image"] for workload in cluster.workloads}
    if len(used) != 1:
        yield f"images differ: {sorted(used)}"
    for image in used:
        if image.rpartition(":")[2] in (image, "latest", ""):
            yield f"image {image}: no tag that names a build"


def selectors(cluster: Cluster) -> Iterator[str]:
    """A workload selects its own pods and nobody else's; so do its spread constraints."""
    for workload in cluster.servers:
        selector = workload.document["spec"]["selector"]
        if [found.name for found in cluster.selected(selector)] != [workload.name]:
            yield f"{workload.name}: its selector picks {[found.name for found in cluster.selected(selector)]}"
        for constraint in workload.pod.get("topologySpreadConstraints", ()):
            if not matches(constraint["labelSelector"], workload.labels):
                yield f"{workload.name}: spreads other pods than its own"


def probes(cluster: Cluster) -> Iterator[str]:
    """Every server is probed on the admin port that its settings open."""
    for workload in cluster.servers:
        container, where = workload.container, workload.name
        for probe, paths in {"startupProbe": ("/healthz", "/readyz"), "readinessProbe": ("/readyz",),
                             "livenessProbe": ("/healthz",)}.items():  # fmt: skip
            get = container.get(probe, {}).get("httpGet", {})
            if get.get("path") not in paths:
                yield f"{where}: {probe} asks {get.get('path')}"
            if get.get("port") != "admin" or "admin" not in workload.ports:
                yield f"{where}: {probe} asks the port {get.get('port')}, which is not there"


def settings(cluster: Cluster) -> Iterator[str]:
    """The file named in the arguments is mounted, and agrees with the ports and folders of the manifest."""
    for workload in cluster.servers:
        where, told = workload.name, cluster.config(workload)
        if not told:
            yield f"{where}: {workload.config_path} is in no mounted ConfigMap"
            continue
        wire = workload.ports.get("wire", 0)
        if workload.ports != {"wire": wire, "admin": wire + ADMIN_OFFSET}:
            yield f"{where}: admin is not {ADMIN_OFFSET} above wire in {workload.ports}"
        for key, port in (("listen", "wire"), ("admin", "admin")):
            if told.get(key) != f"0.0.0.0:{workload.ports.get(port)}":
                yield f"{where}: {key} = {told.get(key)!r} is not its container port {port}"
        if "bundle" in told and not _mount(workload, told["bundle"]).get("readOnly"):
            yield f"{where}: bundle = {told['bundle']!r} is not mounted, or not read only"
        if "state" in told and _mount(workload, told["state"]).get("name") not in workload.claims:
            yield f"{where}: state = {told['state']!r} does not outlive the pod"
        if not _has_node_id(workload):
            yield f"{where}: RECMESH_NODE_ID is not the pod's name"


def _mount(workload: Workload, path: str) -> Document:
    """The mount that holds a path; empty where there is none."""
    mounts = workload.container.get("volumeMounts", ())
    return next((mount for mount in mounts if PurePosixPath(path).is_relative_to(mount["mountPath"])), {})


def _has_node_id(workload: Workload) -> bool:
    source = {"fieldRef": {"fieldPath": "metadata.name"}}
    return {"name": "RECMESH_NODE_ID", "valueFrom": source} in workload.container.get("env", ())


def volumes(cluster: Cluster) -> Iterator[str]:
    """Every mount has its volume, every volume its mount, its claim or its ConfigMap."""
    for workload in cluster.workloads:
        declared = {volume["name"]: volume for volume in workload.pod.get("volumes", ())}
        mounted = [mount["name"] for mount in workload.container.get("volumeMounts", ())]
        if set(mounted) != set(declared) | set(workload.claims):
            yield f"{workload.name}: mounts {mounted}, has {[*declared, *workload.claims]}"
        for name, volume in declared.items():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and not cluster.named("PersistentVolumeClaim", claim):
                yield f"{workload.name}: no claim {claim} for the volume {name}"
            config = volume.get("configMap", {}).get("name")
            if config and not cluster.named("ConfigMap", config):
                yield f"{workload.name}: no ConfigMap {config} for the volume {name}"


def quantities(cluster: Cluster) -> Iterator[str]:
    """CPU and memory are requested and limited, and no request is over its limit."""
    for workload in cluster.workloads:
        resources = workload.container.get("resources", {})
        for name in ("cpu", "memory"):
            request, limit = (_quantity(resources.get(part, {}).get(name)) for part in ("requests", "limits"))
            if request is None or limit is None or not 0 < request <= limit:
                yield f"{workload.name}: {name} in {resources}"
    for document in cluster.documents:
        for path, value in walk(document):
            if path.endswith(("/storage", "/sizeLimit")) and _quantity(value) is None:
                yield f"{document['metadata']['name']}{path}: {value!r} is no quantity"


def _quantity(value: Any) -> Decimal | None:
    match = QUANTITY.fullmatch(str(value))
    return Decimal(match[1]) * UNITS[match[2]] if match else None


def grace(cluster: Cluster) -> Iterator[str]:
    """A drain has ended before Kubernetes kills."""
    defaults = {each.name: each.default for each in dataclasses.fields(ProcessSettings)}
    for workload in cluster.servers:
        told = cluster.config(workload)
        drain = sum(told.get(key, defaults[key]) for key in ("drain_accept_seconds", "drain_grace_seconds"))
        allowed = workload.pod.get("terminationGracePeriodSeconds", 30)
        if drain + STOPPING > allowed:
            yield f"{workload.name}: a drain takes up to {drain} s, killed after {allowed} s"


def hardening(cluster: Cluster) -> Iterator[str]:
    """Every pod passes the restricted Pod Security Standard, with no needless token and no writable root."""
    for workload in cluster.workloads:
        pod, container = workload.pod, workload.container
        security, inner = pod.get("securityContext", {}), container.get("securityContext", {})
        holds = {
            "runs as root": security.get("runAsNonRoot") is True and security.get("runAsUser", 0) >= 1000,
            "has no group for its volumes": security.get("fsGroup") == security.get("runAsUser"),
            "has no seccomp profile": security.get("seccompProfile") == {"type": "RuntimeDefault"},
            "may gain privileges": inner.get("allowPrivilegeEscalation") is False,
            "writes to its root": inner.get("readOnlyRootFilesystem") is True,
            "keeps capabilities": inner.get("capabilities") == {"drop": ["ALL"]},
            "holds a token": pod.get("automountServiceAccountToken") is False or _asks_the_api(cluster, workload),
            "is told of every Service by variables": pod.get("enableServiceLinks") is False,
        }
        yield from (f"{workload.name}: {fault}" for fault, fine in holds.items() if not fine)


def _asks_the_api(cluster: Cluster, workload: Workload) -> bool:
    return any(source.startswith("kubernetes:") for source in cluster.sources(workload))


CHECKS: Final = (names, images, selectors, probes, settings, volumes, quantities, grace, hardening)
