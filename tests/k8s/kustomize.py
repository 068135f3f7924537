"""Renders a kustomization as `kubectl kustomize` does, as far as k8s/ uses it; a field it does not know is an error."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

Document: TypeAlias = dict[str, Any]
WORKLOADS: Final = ("Deployment", "StatefulSet", "Job")


class KustomizationError(Exception):
    """A kustomization that cannot be rendered; the message names the file."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: of the two, YAML would silently keep the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [key.value for key, _ in node.value]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise KustomizationError(f"{node.start_mark}: {sorted(twice)} stands twice")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_documents(text: str) -> list[Document]:
    return [document for document in yaml.load_all(text, _Loader) if document]


@dataclass
class _Build:
    documents: list[Document] = field(default_factory=list)
    generated: set[str] = field(default_factory=set)  # names of the ConfigMaps that get a suffix

    def named(self, name: str, kinds: tuple[str, ...]) -> Document:
        found = [d for d in self.documents if d["kind"] in kinds and d["metadata"]["name"] == name]
        if len(found) != 1:
            raise KustomizationError(f"{name!r} names {len(found)} of {'/'.join(kinds)}, not one")
        return found[0]


def render(folder: Path) -> list[Document]:
    """All documents of the kustomization in `folder`, ConfigMaps with the suffix that changes with their content."""
    build = _build(folder)
    suffixed = {}
    for name in build.generated:
        config = build.named(name, ("ConfigMap",))
        config["metadata"]["name"] = suffixed[name] = f"{name}-{_suffix(config['data'])}"
    for document in build.documents:
        for volume in _pod_spec(document).get("volumes", ()):
            if reference := volume.get("configMap"):
                reference["name"] = suffixed.get(reference["name"], reference["name"])
    return build.documents


def _build(folder: Path) -> _Build:
    path = folder / "kustomization.yaml"
    [kustomization] = load_documents(path.read_text())
    build = _Build()
    for name, step in _STEPS.items():
        for entry in kustomization.pop(name, ()):
            step(build, folder, entry)
    kustomization.pop("apiVersion"), kustomization.pop("kind")
    if kustomization:
        raise KustomizationError(f"{path}: {sorted(kustomization)} is not supported by this renderer")
    return build


def _resource(build: _Build, folder: Path, entry: str) -> None:
    path = folder / entry
    if path.is_dir():
        below = _build(path)
        build.documents += below.documents
        build.generated |= below.generated
    else:
        build.documents += load_documents(path.read_text())


def _config_map(build: _Build, folder: Path, entry: Mapping[str, Any]) -> None:
    _only(entry, "name", "behavior", "files")
    data = {Path(file).name: (folder / file).read_text() for file in entry["files"]}
    if entry.get("behavior", "create") == "merge":
        build.named(entry["name"], ("ConfigMap",))["data"].update(data)
    else:
        metadata = {"name": entry["name"]}
        build.documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        build.generated.add(entry["name"])


def _patch(build: _Build, folder: Path, entry: Mapping[str, Any]) -> None:
    _only(entry, "target", "patch")
    _only(entry["target"], "kind", "name")
    targets = [d for d in build.documents if _is_target(d, entry["target"])]
    if not targets:
        raise KustomizationError(f"{folder}: no document is {entry['target']}")
    for operation in yaml.safe_load(entry["patch"]):
        if operation["op"] != "replace":
            raise KustomizationError(f"{folder}: the patch operation {operation['op']!r} is not supported")
        for document in targets:
            *parents, last = operation["path"].lstrip("/").split("/")
            place: Any = document
            for step in parents:
                place = place[int(step) if isinstance(place, list) else step]
            if last not in place:
                raise KustomizationError(f"{folder}: {operation['path']} is not in {document['metadata']['name']}")
            place[last] = operation["value"]


def _is_target(document: Document, target: Mapping[str, str]) -> bool:
    name = document["metadata"]["name"]
    return bool(re.fullmatch(target["kind"], document["kind"]) and re.fullmatch(target.get("name", ".*"), name))


def _labels(build: _Build, folder: Path, entry: Mapping[str, Any]) -> None:
    _only(entry, "pairs", "includeTemplates")
    for document in build.documents:
        for metadata in _labelled(document, entry.get("includeTemplates", False)):
            metadata.setdefault("labels", {}).update(entry["pairs"])


def _labelled(document: Document, templates: bool) -> Iterator[MutableMapping[str, Any]]:
    yield document["metadata"]
    if templates and document["kind"] in WORKLOADS:
        yield document["spec"]["template"]["metadata"]
        for claim in document["spec"].get("volumeClaimTemplates", ()):
            yield claim["metadata"]


def _image(build: _Build, folder: Path, entry: Mapping[str, str]) -> None:
    _only(entry, "name", "newName", "newTag")
    for document in build.documents:
        for container in _pod_spec(document).get("containers", ()):
            name, _, tag = container["image"].partition(":")
            if name == entry["name"]:
                container["image"] = f"{entry.get('newName', name)}:{entry.get('newTag', tag)}"


def _replicas(build: _Build, folder: Path, entry: Mapping[str, Any]) -> None:
    _only(entry, "name", "count")
    build.named(entry["name"], ("Deployment", "StatefulSet"))["spec"]["replicas"] = entry["count"]


# In the order in which kustomize applies them.
_STEPS: Final[Mapping[str, Callable[[_Build, Path, Any], None]]] = {
    "resources": _resource,
    "configMapGenerator": _config_map,
    "patches": _patch,
    "labels": _labels,
    "replicas": _replicas,
    "images": _image,
}


def _pod_spec(document: Document) -> Document:
    if document["kind"] in WORKLOADS:
        spec: Document = document["spec"]["template"]["spec"]
        return spec
    return {}


def _only(entry: Mapping[str, Any], *known: str) -> None:
    if unknown := set(entry) - set(known):
        raise KustomizationError(f"{sorted(unknown)} in {dict(entry)} is not supported by this renderer")


def _suffix(data: Mapping[str, str]) -> str:
    """The hash kustomize appends: of the JSON that Go writes, spelled without vowels and their look-alikes."""
    content = json.dumps(
        {"kind": "ConfigMap", "name": "", "data": data}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    for character in "<>&":
        content = content.replace(character, f"\\u{ord(character):04x}")
    return hashlib.sha256(content.encode()).hexdigest()[:10].translate(str.maketrans("013ae", "ghkmt"))
