"""Starts a mesh as an outsider would, and watches its processes."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60.0
PORTS = [0, *range(50, 500, 50), *range(100, 110), *range(200, 210), *range(250, 260), *range(300, 310), 400]


@dataclass(frozen=True)
class Mesh:
    """A running mesh, by what it printed when it served."""

    starter: subprocess.Popen[str]
    gateway: str
    pids: dict[str, int]

    def kill(self, *names: str) -> None:
        for name in names:
            os.kill(self.pids[name], signal.SIGKILL)

    def left(self) -> list[str]:
        """The processes that are still there."""
        return [name for name, pid in self.pids.items() if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < limit, f"waited {WAIT_SECONDS:g} s for {what}"
        time.sleep(0.02)  # between two looks at the condition


def free_base_port() -> int:
    for _ in range(100):
        base = random.randrange(10_000, 60_000, 500)
        if all(_is_free(base + offset) for offset in PORTS):
            return base
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def start(
    bundle: Path, state: Path, shards: int = 2, replicas: int = 2, script: str = "local_mesh.py"
) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "examples" / script)]
    options = {"bundle": bundle, "shards": shards, "replicas": replicas, "base-port": free_base_port(), "state": state}
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=state)


def await_serving(starter: subprocess.Popen[str]) -> Mesh:
    assert starter.stdout is not None and starter.stderr is not None
    line = starter.stdout.readline()
    assert line, starter.stderr.read()
    said = json.loads(line)
    return Mesh(starter, said["gateway"], {each["name"]: each["pid"] for each in said["processes"]})


@contextmanager
def running(bundle: Path, state: Path, shards: int = 2, replicas: int = 2) -> Iterator[Mesh]:
    starter = start(bundle, state, shards, replicas)
    try:
        yield await_serving(starter)
    finally:
        starter.terminate()
        starter.communicate(timeout=WAIT_SECONDS)
