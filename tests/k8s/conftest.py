"""The rendered manifests: the base, each overlay, and what stands beside them for fitting."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.k8s.cluster import Cluster
from tests.k8s.kustomize import Document, load_documents, render

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "k8s"
KUSTOMIZATIONS: Final = tuple(sorted(str(path.parent.relative_to(K8S)) for path in K8S.rglob("kustomization.yaml")))


@cache
def _rendered(kustomization: str) -> list[Document]:
    beside = [
        document for file in sorted((K8S / "fit").glob("*.yaml")) for document in load_documents(file.read_text())
    ]
    return render(K8S / kustomization) + beside


def cluster_of(kustomization: str) -> Cluster:
    """A copy that a test may damage."""
    return Cluster(copy.deepcopy(_rendered(kustomization)))


@pytest.fixture
def base() -> Cluster:
    return cluster_of("base")
