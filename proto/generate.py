"""Generates the Python of every .proto file, or checks that what is committed is what would be generated.

python proto/generate.py ROOT           writes ROOT/recmesh/**/*_pb2.py, *_pb2.pyi, *_rpc.py
python proto/generate.py --check ROOT   writes nothing; exit 1 and the names of the files that differ
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_rpc.py")


def generate(out: Path) -> None:
    """Raises CalledProcessError when protoc refuses a file; protoc has then said why."""
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "protoc-gen-rpc"
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROTO / "protoc_gen_rpc.py"}"\n')
        plugin.chmod(0o755)
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"--plugin=protoc-gen-rpc={plugin}"]
        outputs = [f"--{kind}_out={out.resolve()}" for kind in ("python", "pyi", "rpc")]
        subprocess.run([*protoc, *outputs, *files], check=True, cwd=PROTO)  # noqa: S603 - our own files, no shell


def generated(root: Path) -> dict[str, bytes]:
    paths = (path for path in (root / "recmesh").rglob("*") if path.name.endswith(SUFFIXES))
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def stale(root: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, committed = generated(Path(folder)), generated(root)
    return sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not arguments.check:
        generate(arguments.root)
        return 0
    different = stale(arguments.root)
    for name in different:
        print(f"{name} is not what its .proto gives; run make proto", file=sys.stderr)
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
