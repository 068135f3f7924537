"""Rendered documents as what they become in a cluster: pods with names, labels, ports and files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recmesh.mesh.target import parse_target
from tests.k8s.kustomize import Document

KINDS_WITH_PODS = ("Deployment", "StatefulSet", "Job", "Pod")


@dataclass(frozen=True)
class Workload:
    """A document that makes pods."""

    document: Document

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def template(self) -> Document:
        return self.document if self.kind == "Pod" else _dict(self.document["spec"]["template"])

    @property
    def labels(self) -> Mapping[str, str]:
        return _dict(self.template["metadata"].get("labels", {}))

    @property
    def pod(self) -> Document:
        return _dict(self.template["spec"])

    @property
    def replicas(self) -> int:
        return int(self.document["spec"].get("replicas", 1))

    @property
    def serves(self) -> bool:
        return self.kind in ("Deployment", "StatefulSet")

    @property
    def container(self) -> Document:
        [container] = self.pod["containers"]
        return _dict(container)

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}

    @property
    def claims(self) -> dict[str, Document]:
        return {claim["metadata"]["name"]: claim for claim in self.document["spec"].get("volumeClaimTemplates", ())}

    @property
    def config_path(self) -> str | None:
        args = self.container.get("args", ())
        return args[args.index("--config") + 1] if "--config" in args else None


@dataclass(frozen=True)
class Cluster:
    """All documents of a mesh."""

    documents: Sequence[Document]

    def of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] == kind]

    def named(self, kind: str, name: str) -> Document | None:
        return next((d for d in self.of_kind(kind) if d["metadata"]["name"] == name), None)

    @property
    def workloads(self) -> list[Workload]:
        return [Workload(document) for document in self.documents if document["kind"] in KINDS_WITH_PODS]

    @property
    def servers(self) -> list[Workload]:
        return [workload for workload in self.workloads if workload.serves]

    def selected(self, selector: Mapping[str, Any]) -> list[Workload]:
        """The workloads whose pods a label selector picks; also the bare map of a Service."""
        return [workload for workload in self.workloads if matches(selector, workload.labels)]

    def config(self, workload: Workload) -> dict[str, Any]:
        """The settings file that the workload's arguments name, as it is mounted; empty where there is none."""
        text = self.config_text(workload)
        return tomllib.loads(text) if text is not None else {}

    def config_text(self, workload: Workload) -> str | None:
        path = workload.config_path
        if path is None:
            return None
        folder, _, file = path.rpartition("/")
        for mount in workload.container.get("volumeMounts", ()):
            if mount["mountPath"] == folder:
                return self._mounted(workload, mount["name"]).get(file)
        return None

    def _mounted(self, workload: Workload, volume: str) -> Mapping[str, str]:
        """The files of the ConfigMap that stands behind a volume."""
        for declared in workload.pod.get("volumes", ()):
            if declared["name"] == volume and "configMap" in declared:
                config_map = self.named("ConfigMap", declared["configMap"]["name"])
                return _dict(config_map["data"]) if config_map else {}
        return {}

    def addresses(self, workload: Workload) -> list[str]:
        """host:port of each pod of a StatefulSet behind its headless Service, on the port the mesh speaks."""
        spec = workload.document["spec"]
        service = self.named("Service", spec.get("serviceName", ""))
        if (
            service is None
            or service["spec"].get("clusterIP") != "None"
            or not matches(service["spec"]["selector"], workload.labels)
        ):
            return []
        host = service["metadata"]["name"]
        port = workload.ports["wire"]
        return [f"{workload.name}-{ordinal}.{host}:{port}" for ordinal in range(workload.replicas)]

    def sources(self, workload: Workload) -> list[str]:
        """The addresses, and sources of addresses, that a workload's settings name."""
        told = self.config(workload)
        listed: list[Any] = [*told.get("upstreams", {}).values(), told.get("peers", [])]
        while any(isinstance(each, list) for each in listed):
            listed = [one for each in listed for one in (each if isinstance(each, list) else [each])]
        return listed

    def resolved(self, source: str) -> list[str]:
        """The addresses that a source stands for; for EndpointSlices, the pods of the Service they belong to."""
        target = parse_target(source)
        if target.kind == "static":
            return [source]
        service = self.named("Service", target.name) if target.kind == "kubernetes" else None
        if service is None or target.port not in [port.get("name") for port in service["spec"]["ports"]]:
            return []
        return [address for each in self.selected(service["spec"]["selector"]) for address in self.addresses(each)]

    def owner(self, address: str) -> Workload | None:
        return next((workload for workload in self.servers if address in self.addresses(workload)), None)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector of either shape; the empty one picks everything."""
    if not {"matchLabels", "matchExpressions"} & set(selector):
        return selector.items() <= labels.items()
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        _fulfils(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _fulfils(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if expression["operator"] != "In":
        raise NotImplementedError(f"the operator {expression['operator']} in a label selector")
    return labels.get(expression["key"]) in expression["values"]


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below, with where it stands."""
    yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from walk(child, f"{path}/{key}")


def _dict(value: Any) -> Document:
    assert isinstance(value, dict)
    return value
