"""The renderer does what kustomize does, and refuses what it does not know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.k8s.conftest import K8S, KUSTOMIZATIONS
from tests.k8s.kustomize import Document, KustomizationError, load_documents, render

KUBECTL: Final = shutil.which("kubectl")
POD: Final = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: door}
spec:
  template:
    metadata: {}
    spec:
      containers: [{name: door, image: "recmesh:0.1.0"}]
      volumes: [{name: config, configMap: {name: door}}]
"""
HEAD: Final = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
PLAIN: Final = "resources: [door.yaml]\nconfigMapGenerator: [{name: door, files: [door.toml]}]\n"


def _rendered(folder: Path, kustomization: str, settings: str = 'greeting = "<é & ü>"\n') -> dict[str, Document]:
    (folder / "door.yaml").write_text(POD)
    (folder / "door.toml").write_text(settings)
    (folder / "kustomization.yaml").write_text(HEAD + kustomization)
    return {document["kind"]: document for document in render(folder)}


@pytest.mark.skipif(KUBECTL is None, reason="kubectl, which brings kustomize, is not installed")
@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_renders_what_kustomize_renders(kustomization: str) -> None:
    def by_name(documents: list[Document]) -> dict[tuple[str, str], Document]:
        return {(document["kind"], document["metadata"]["name"]): document for document in documents}

    told = subprocess.run(
        [str(KUBECTL), "kustomize", str(K8S / kustomization)], capture_output=True, check=True, timeout=60
    )
    assert by_name(render(K8S / kustomization)) == by_name(load_documents(told.stdout.decode()))


def test_the_name_of_a_config_map_ends_in_the_hash_that_kustomize_makes(tmp_path: Path) -> None:
    documents = _rendered(tmp_path, PLAIN)
    assert documents["ConfigMap"]["metadata"]["name"] == "door-7b9577cmm2"
    assert documents["Deployment"]["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] == "door-7b9577cmm2"


def test_changed_settings_roll_the_pods_that_read_them(tmp_path: Path) -> None:
    before = _rendered(tmp_path, PLAIN)["Deployment"]["spec"]["template"]
    after = _rendered(tmp_path, PLAIN, 'greeting = "hi"\n')["Deployment"]["spec"]["template"]
    assert before != after


def test_an_overlay_names_the_image_of_a_registry(tmp_path: Path) -> None:
    images = "images: [{name: recmesh, newName: mirror/recmesh, newTag: 0.2.0}]\n"
    spec = _rendered(tmp_path, PLAIN + images)["Deployment"]["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "mirror/recmesh:0.2.0"


@pytest.mark.parametrize(
    "wrong",
    [
        "namePrefix: a-\n",
        "labels: [{pairs: {a: b}, includeSelectors: true}]\n",
        "replicas: [{name: window, count: 2}]\n",
        "patches: [{target: {kind: Job}, patch: '[]'}]\n",
        "patches: [{target: {kind: Deployment}, patch: '[{op: add, path: /spec/replicas, value: 2}]'}]\n",
        "patches: [{target: {kind: Deployment}, patch: '[{op: replace, path: /spec/replica, value: 2}]'}]\n",
        "replicas: []\nreplicas: []\n",
    ],
)
def test_what_the_renderer_cannot_do_is_an_error(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(KustomizationError):
        _rendered(tmp_path, PLAIN + wrong)
