"""Keeps a mesh running until Ctrl-C: fits the shipped ratings first where no bundle lies in var/models.

`make up` runs this. Events and put items stay in var/mesh from one start to the next. Options: those of local_mesh.py.
"""

from __future__ import annotations

import subprocess
import sys

from examples import local_mesh

MODELS = local_mesh.CHECKOUT / "var" / "models"
DATASET = local_mesh.CHECKOUT / "examples" / "data" / "ml-latest-small"


def fit() -> None:
    command = [sys.executable, "-m", "training", "fit", str(DATASET), "--out", str(MODELS)]
    subprocess.run(command, cwd=local_mesh.CHECKOUT, check=True)  # noqa: S603 - our own module, no shell


def main() -> int:
    given = sys.argv[1:]
    local_mesh.raise_on_signals()
    try:
        if not any(each.startswith(("--bundle", "-h", "--help")) for each in given):
            if not any(MODELS.rglob("manifest.json")):
                fit()
            given = ["--bundle", str(MODELS), *given]
            print("Starting the mesh; when it serves, ask it: .venv/bin/recmesh recommend 42", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    except KeyboardInterrupt:
        return 130
    return local_mesh.main(given)


if __name__ == "__main__":
    sys.exit(main())
