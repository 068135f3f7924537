"""The image can be built from this tree and runs what the manifests ask of it."""

from __future__ import annotations

import ast
import fnmatch
import importlib.util
import json
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

from tests.k8s.cluster import Cluster
from tests.k8s.conftest import ROOT
from tests.k8s.dockerfile import Instruction, parse

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS: Final = parse(DOCKERFILE)


def _all(name: str) -> list[Instruction]:
    return [instruction for instruction in INSTRUCTIONS if instruction.name == name]


def _from_context() -> list[str]:
    """The paths that COPY takes from the checkout."""
    return [source for copy in _all("COPY") if not copy.option_from for source in copy.words[:-1]]


def _packages() -> list[str]:
    return [source for source in _from_context() if (ROOT / source / "__init__.py").exists()]


@pytest.mark.parametrize("source", _from_context())
def test_what_the_image_copies_is_in_the_checkout_and_in_the_build_context(source: str) -> None:
    assert (ROOT / source).exists()
    admitted = False
    for pattern in (ROOT / ".dockerignore").read_text().splitlines():
        if pattern and not pattern.startswith("#") and fnmatch.fnmatch(source, pattern.removeprefix("!")):
            admitted = pattern.startswith("!")
    assert admitted


def test_nothing_else_enters_the_build_context() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == set(_from_context())


def test_stages_take_files_only_from_stages_before_them() -> None:
    named = {match[1]: each.stage for each in _all("FROM") if (match := re.search(r" AS (\w+)$", each.text))}
    borrowed = [copy for copy in _all("COPY") if copy.option_from]
    assert borrowed
    for copy in borrowed:
        assert copy.option_from is not None and named[copy.option_from] < copy.stage


def test_all_stages_stand_on_one_base_so_that_the_environment_finds_its_interpreter() -> None:
    bases = {each.words[0] for each in _all("FROM")}
    assert bases == {"${PYTHON_IMAGE}"}
    assert INSTRUCTIONS[0].name == "ARG" and INSTRUCTIONS[0].text == "PYTHON_IMAGE=python:3.11-slim"


def test_the_process_runs_as_the_user_the_manifests_name(base: Cluster) -> None:
    last = _all("FROM")[-1].stage
    [user] = [each.text for each in _all("USER") if each.stage == last]
    number, group = (int(part) for part in user.split(":"))
    assert number > 0
    for workload in base.workloads:
        security = workload.pod["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"]) == (number, group)


def test_signals_reach_the_process_itself() -> None:
    assert [each.text for each in _all("STOPSIGNAL")] == ["SIGTERM"]
    assert json.loads(_all("CMD")[-1].text)[:2] == ["python", "-m"]  # the exec form: no shell stands before it


def test_packages_come_by_their_hashes_and_from_no_named_host() -> None:
    install = next(each.text for each in _all("RUN") if "install" in each.text)
    assert {"--require-hashes", "--only-binary", "--no-cache-dir"} <= set(install.split())
    assert not re.search(r"https?://|index-url|trusted-host", DOCKERFILE)


def test_every_module_that_is_started_is_in_the_image(base: Cluster) -> None:
    commands = [workload.container["command"] for workload in base.workloads] + [json.loads(_all("CMD")[-1].text)]
    modules = {command[2] for command in commands if command[:2] == ["python", "-m"]}
    assert {"gateway", "training", "services.retrieval"} <= modules
    for module in modules:
        assert module.split(".")[0] in _packages()
        assert importlib.util.find_spec(f"{module}.__main__"), module


def test_the_image_has_the_openmp_that_lightgbm_links_to() -> None:
    assert re.search(r"^lightgbm==", (ROOT / "requirements" / "mesh.txt").read_text(), re.MULTILINE)
    last = _all("FROM")[-1].stage
    assert [each for each in _all("RUN") if each.stage == last and "libgomp1" in each.words]


NOT_IN_THE_IMAGE: Final = {"optuna", "pyspark", "torch"}
"""What only those install who search for settings, fit on a Spark cluster, or learn the sequence model."""


def _imported(folder: Path) -> set[str]:
    """Top-level names that the files of a package import."""
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", _packages())
def test_what_a_package_imports_is_locked_for_the_image(package: str) -> None:
    lock = (ROOT / "requirements" / "mesh.txt").read_text()
    locked = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    provided = packages_distributions()
    for name in _imported(ROOT / package) - set(sys.stdlib_module_names) - set(_packages()) - NOT_IN_THE_IMAGE:
        distributions = {each.lower().replace("_", "-").replace(".", "-") for each in provided.get(name, [name])}
        assert distributions & locked, f"{package} imports {name}, which requirements/mesh.txt does not install"
