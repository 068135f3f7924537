"""Real processes of services: started, called, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from recmesh.rpc import Channel, blocking

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds; only a process that hangs is waited for so long
STATEFUL = ("retrieval", "feedback")


class Running:
    """A process that serves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        self.said: Mapping[str, Any] = json.loads(line)

    @contextmanager
    def channel(self) -> Iterator[Channel]:
        endpoint = blocking.Endpoint(self.said["address"])
        try:
            yield Channel(endpoint)
        finally:
            blocking.run(endpoint.close())

    def ask(self, path: str) -> tuple[int, str]:
        """What the admin port answers."""
        try:
            with urlopen(f"http://{self.said['admin']}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """The exit code, and what was logged."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, log


def configuration(folder: Path, service: str, bundle: Path, **settings: object) -> Path:
    given: dict[str, object] = {"listen": "127.0.0.1:0", "bundle": str(bundle), "drain_accept_seconds": 0.0, **settings}
    if service in STATEFUL:
        given.setdefault("state", str(folder / "state"))
    path = folder / f"{service}.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items()), encoding="utf-8")
    return path


def spawn(service: str, config: Path) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RECMESH_")}
    return subprocess.Popen(
        [sys.executable, "-m", f"services.{service}", "--config", str(config)],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(service: str, config: Path) -> Iterator[Running]:
    """Killed at the end, if it has not ended before."""
    process = spawn(service, config)
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def refused(service: str, config: Path) -> str:
    """The one line that a process which cannot start leaves behind."""
    process = spawn(service, config)
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 2 and not out, errors
    [line] = [each for each in errors.splitlines() if not each.startswith("{")]
    assert "Traceback" not in errors
    return line.removeprefix(f"{service}: ")
