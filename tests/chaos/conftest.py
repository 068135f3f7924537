"""A bundle of the shipped ratings, fitted once and kept, the mesh of a module, and the table at the end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.timeline import Timeline
from models.bundle import Bundle, BundleError, find_bundle
from tests.chaos.harness import ROOT
from tests.chaos.mesh import ChaosMesh, base_port, chaos_mesh
from tests.chaos.report import HEAD, Report, Tell

KEPT = ROOT / "var" / "chaos" / "models"
REPORT = pytest.StashKey[Report]()


@pytest.fixture(scope="session")
def kept_bundle() -> Path:
    """The newest under $CHAOS_BUNDLE, else under var/chaos; it is fitted where there is none that opens."""
    models = Path(os.environ.get("CHAOS_BUNDLE", KEPT))
    try:
        return _newest(models)
    except BundleError:
        dataset = ROOT / "examples" / "data" / "ml-latest-small"
        command = [sys.executable, "-m", "training", "fit", str(dataset), "--out", str(models)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return _newest(models)


def _newest(models: Path) -> Path:
    path = find_bundle(models)
    Bundle.open(path)
    return path


@pytest.fixture(scope="module")
def mesh(kept_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosMesh]:
    with chaos_mesh(kept_bundle, tmp_path_factory.mktemp("mesh"), base_port()) as whole:
        yield whole


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each fault every call has ended at both of its ends, and no process has met an error of its own."""
    if not request.node.get_closest_marker("chaos"):
        yield
        return
    wired = "wires" in request.fixturenames
    whole: ChaosMesh = request.getfixturevalue("wires").mesh if wired else request.getfixturevalue("mesh")
    before = whole.errors()
    yield
    asyncio.run(whole.at_rest())
    assert "flipped" in request.node.name or [each for each in whole.errors() if each not in before] == []


@pytest.fixture
def tell(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Prints what callers saw of a fault, whether or not pytest keeps what tests print."""

    def say(what: str, seen: Timeline, *notes: str) -> None:
        with capsys.disabled():
            print(f"\n{pytestconfig.stash[REPORT].add(what, seen, *notes)}", flush=True)  # noqa: T201 - for whoever runs it

    return say


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[REPORT].lines:
        terminalreporter.section("what callers saw")
        for line in (HEAD, *lines):
            terminalreporter.write_line(line)
