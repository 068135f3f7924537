"""Keeps a mesh running until Ctrl-C: fits the shipped ratings first where no bundle lies in var/models.

`make up` runs this. Events and put items stay in var/mesh from one start to the next.
"""

from __future__ import annotations

import subprocess
import sys

from local_mesh import CHECKOUT

MODELS = CHECKOUT / "var" / "models"
DATASET = CHECKOUT / "examples" / "data" / "ml-latest-small"


def main() -> int:
    try:
        if not any(MODELS.rglob("manifest.json")):
            command = [sys.executable, "-m", "training", "fit", str(DATASET), "--out", str(MODELS)]
            subprocess.run(command, cwd=CHECKOUT, check=True)  # noqa: S603 - our own module, no shell
        print("Starting the mesh; when it serves, ask it: .venv/bin/recmesh recommend 42", file=sys.stderr)
        mesh = [sys.executable, str(CHECKOUT / "examples" / "local_mesh.py"), "--bundle", str(MODELS), *sys.argv[1:]]
        return subprocess.run(mesh, cwd=CHECKOUT, check=False).returncode  # noqa: S603 - our own script, no shell
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
