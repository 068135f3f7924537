"""Starts what a manifest describes: its command, arguments and settings, on addresses and folders of this machine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.k8s.cluster import Workload
from tests.k8s.conftest import K8S, ROOT

PROBE_SECONDS: Final = 10.0  # for one answer on a loaded machine


@dataclass
class Running:
    """The first pod of a workload, as a process."""

    workload: Workload
    process: subprocess.Popen[str]
    log: Path
    address: str = ""
    admin: str = ""

    def await_serving(self) -> None:
        """Reads the line a process prints when it serves."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.workload.name} did not serve:\n{self.log.read_text()}"
        said = json.loads(line)
        assert said["name"] == f"{self.workload.name}-0"
        self.address, self.admin = said["address"], said["admin"]

    def probe(self, path: str) -> int:
        """The status of an answer of the admin port; 0 where it is closed."""
        connection = http.client.HTTPConnection(self.admin, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except ConnectionError:
            return 0
        finally:
            connection.close()

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def start(workload: Workload, scratch: Path, over: Mapping[str, str]) -> Running:
    """The workload's first pod. `over` are settings that this machine forces, by their variables."""
    log = scratch / f"{workload.name}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command_of(workload), cwd=ROOT, env=_environment(workload, over), stdout=subprocess.PIPE, stderr=stderr,
            text=True,
        )  # fmt: skip
    return Running(workload, process, log)


def command_of(workload: Workload, folders: Mapping[str, str] | None = None) -> list[str]:
    """Command and arguments of the container, with the interpreter and the folders of this machine."""
    words: list[str] = workload.container["command"] + workload.container.get("args", [])
    assert words[0] == "python"
    places = {"/etc/recmesh": str(K8S / "base" / "config"), **(folders or {})}
    return [sys.executable, *(_moved(word, places) for word in words[1:])]


def _moved(word: str, places: Mapping[str, str]) -> str:
    for folder, here in places.items():
        if word == folder or word.startswith(f"{folder}/"):
            return here + word.removeprefix(folder)
    return word


def _environment(workload: Workload, over: Mapping[str, str]) -> dict[str, str]:
    told = {"RECMESH_LISTEN": "127.0.0.1:0", "RECMESH_ADMIN": "127.0.0.1:0", **over}
    for variable in workload.container.get("env", ()):
        assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        told[variable["name"]] = f"{workload.name}-0"
    own = {name: value for name, value in os.environ.items() if not name.startswith("RECMESH_")}
    return own | told


def upstream_variables(
    upstreams: Mapping[str, Sequence[str] | Sequence[Sequence[str]]], started: Mapping[str, str]
) -> dict[str, str]:
    """A gateway's upstreams with each pod's name replaced by where it runs here; pods that do not run are left out."""
    told = {}
    for service, listed in upstreams.items():
        groups = [[each] if isinstance(each, str) else each for each in listed]
        here = [",".join(started[address] for address in group if address in started) for group in groups]
        separator = ";" if service == "retrieval" else ","
        told[f"RECMESH_UPSTREAMS_{service.upper()}"] = separator.join(filter(None, here))
    return told
