"""Runs every benchmark for a first look, and writes its figures to benchmarks/results/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
SCRIPTS = ("rpc", "recommend")


def main() -> int:
    RESULTS.mkdir(exist_ok=True)
    codes = []
    for name in SCRIPTS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json", str(RESULTS / f"{name}.json")]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
