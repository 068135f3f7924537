"""Every process that computes does so with one thread a call, which NumPy reads once, when it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOOK = """
import importlib.abc, os, sys

class Look(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))

sys.meta_path.insert(0, Look())
"""


@pytest.mark.parametrize(
    "module", ["services.embedding", "services.feedback", "services.ranking", "services.retrieval", "training"]
)
def test_the_number_of_threads_is_set_before_numpy_is_imported(module: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", f"{LOOK}\nimport {module}.__main__"]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
