"""What docs/deployment.md tells people to type refers to what is there."""

from __future__ import annotations

import importlib.util
import re
from typing import Final

from tests.k8s.cluster import Cluster
from tests.k8s.conftest import ROOT

PAGE: Final = (ROOT / "docs" / "deployment.md").read_text()


def test_every_path_it_names_exists() -> None:
    paths = set(re.findall(r"\b((?:k8s|examples/data|tests)/[\w./-]*\w)", PAGE))
    assert "k8s/load_bundle.py" in paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_module_it_starts_exists() -> None:
    modules = set(re.findall(r"python -m ([\w.]+)", PAGE))
    assert "services.feedback" in modules
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []


def test_every_label_it_selects_by_is_on_something(base: Cluster) -> None:
    selectors = set(re.findall(r"-l ([\w./-]+)=([\w-]+)", PAGE))
    assert ("app.kubernetes.io/name", "models") in selectors
    for label, value in selectors:
        assert [d for d in base.documents if d["metadata"].get("labels", {}).get(label) == value], (label, value)


def test_every_workload_it_names_exists(base: Cluster) -> None:
    kinds = {"statefulset": "StatefulSet", "deploy": "Deployment", "service": "Service", "pod": "Pod", "job": "Job"}
    named = set(re.findall(r"\b(statefulset|deploy|service|pod|job)/([\w-]+)", PAGE))
    assert named
    assert [each for each in sorted(named) if base.named(kinds[each[0]], each[1]) is None] == []
