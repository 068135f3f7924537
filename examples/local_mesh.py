"""Starts a whole mesh on this machine: every process real, each with its own configuration file, log and ports.

    python examples/local_mesh.py --bundle MODELS --shards 2 --replicas 2 --base-port 7000 --state var/mesh

prints one JSON line when all of them serve, and stops them all on SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from models.bundle import BundleError, find_bundle
from recmesh.ops.settings import ADMIN_OFFSET

CHECKOUT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
START_SECONDS = 60.0  # four times what a loaded machine with two cores needs
STOP_SECONDS = 25.0  # a process drains for at most 20 s
MOST_PER_SERVICE = ADMIN_OFFSET  # more would reach the ports of their own admin pages
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: little is safe between fork and exec

Settings = Mapping[str, Any]


class StartError(Exception):
    """The mesh could not be started; the message says which process, and what it said."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One process to start."""

    name: str  # "retrieval-0-1": shard 0, replica 1
    module: str
    port: int
    settings: Settings

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


@dataclass(slots=True)
class Running:
    """One process that was started."""

    name: str
    address: str
    process: subprocess.Popen[str]
    log: Path
    lines: queue.Queue[str | None] = field(default_factory=queue.Queue)  # its standard output; None at its end

    def listen(self) -> None:
        """Keeps reading standard output, so that the pipe never fills."""
        assert self.process.stdout is not None
        with self.process.stdout as printed:
            for line in printed:
                self.lines.put(line)
        self.lines.put(None)


def common(name: str, port: int) -> dict[str, Any]:
    """What every process is told. No load balancer has to learn of a stop here, so none is waited for."""
    admin = f"{HOST}:{port + ADMIN_OFFSET}"
    return {"listen": f"{HOST}:{port}", "admin": admin, "node_id": name, "drain_accept_seconds": 0.0}


def plan(bundle: Path, state: Path, shards: int, replicas: int, base_port: int, stateless: int = 1) -> list[Plan]:
    """The processes of a mesh, the gateway last. `stateless`: instances of embedding and of ranking."""
    plans: list[Plan] = []

    def add(name: str, service: str, port: int, **settings: Any) -> str:
        module = f"services.{service}"
        plans.append(Plan(name, module, port, common(name, port) | {"bundle": str(bundle)} | settings))
        return plans[-1].address

    upstreams: dict[str, Any] = {
        "embedding": [add(f"embedding-{i}", "embedding", base_port + 100 + i) for i in range(stateless)],
        "ranking": [add(f"ranking-{i}", "ranking", base_port + 300 + i) for i in range(stateless)],
        "feedback": [add("feedback-0", "feedback", base_port + 400, state=str(state / "feedback-0"))],
        "retrieval": [],
    }
    for shard in range(shards):
        ports = [base_port + 200 + shard * replicas + replica for replica in range(replicas)]
        for replica, port in enumerate(ports):
            name = f"retrieval-{shard}-{replica}"
            peers = [f"{HOST}:{other}" for other in ports if other != port]
            own = {"shard": shard, "shards": shards, "state": str(state / name), "peers": peers}
            add(name, "retrieval", port, **own)
        upstreams["retrieval"].append([f"{HOST}:{port}" for port in ports])
    plans.append(Plan("gateway-0", "gateway", base_port, common("gateway-0", base_port) | {"upstreams": upstreams}))
    return plans


def to_toml(settings: Settings, section: str = "") -> str:
    """JSON's strings, numbers and lists of them are TOML as well; only tables differ."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if not isinstance(value, dict)]
    tables = [to_toml(value, key) for key, value in settings.items() if isinstance(value, dict)]
    return "\n".join([f"\n[{section}]"] * bool(section) + plain + tables) + "\n"


def die_with_parent() -> None:
    """On Linux: even a starter that is killed outright leaves no process behind."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class LocalMesh:
    """The processes of one mesh, from start to stop."""

    def __init__(self, plans: Sequence[Plan], state: Path) -> None:
        self._plans = plans
        self._state = state
        self.processes: list[Running] = []

    @property
    def gateway(self) -> str:
        return self._plans[-1].address

    def start(self) -> None:
        """Returns when every process serves; otherwise stops what was started and raises StartError."""
        limit = time.monotonic() + START_SECONDS
        services, gateway = self._plans[:-1], self._plans[-1:]
        try:
            for group in (services, gateway):  # so that the gateway finds them all
                started = [self._spawn(each) for each in group]
                for process in started:
                    self._await_serving(process, limit)
        except BaseException:
            self.stop()
            raise

    def _spawn(self, each: Plan) -> Running:
        config = self._state / "config" / f"{each.name}.toml"
        log = self._state / "logs" / f"{each.name}.log"
        for folder in (config.parent, log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        config.write_text(to_toml(each.settings), encoding="utf-8")
        log.unlink(missing_ok=True)
        with log.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", each.module, "--config", str(config)],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C reaches this process alone, which stops the others in order
                preexec_fn=die_with_parent,
            )
        running = Running(each.name, each.address, process, log)
        self.processes.append(running)
        threading.Thread(target=running.listen, daemon=True).start()
        return running

    def _await_serving(self, running: Running, limit: float) -> None:
        try:
            line = running.lines.get(timeout=max(0.0, limit - time.monotonic()))
        except queue.Empty:
            raise StartError(f"{running.name} does not serve after {START_SECONDS:g} s; see {running.log}") from None
        if line is None:
            said = running.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise StartError(f"{running.name} did not start:\n  " + "\n  ".join(said or ["(it said nothing)"]))

    def stop(self) -> None:
        """The gateway first, so that what it began can end; then all others side by side."""
        gateway = [each for each in self.processes if each.name.startswith("gateway")]
        for group in (gateway, [each for each in self.processes if each not in gateway]):
            for running in group:
                running.process.terminate()
            limit = time.monotonic() + STOP_SECONDS
            for running in group:
                try:
                    running.process.wait(max(0.0, limit - time.monotonic()))
                except subprocess.TimeoutExpired:
                    running.process.kill()
                    running.process.wait()
        self.processes = []

    def describe(self) -> dict[str, Any]:
        """The line that programs read."""
        processes = [{"name": p.name, "pid": p.process.pid, "address": p.address} for p in self.processes]
        return {"gateway": self.gateway, "processes": processes}


@contextmanager
def running_mesh(plans: Sequence[Plan], state: Path) -> Iterator[LocalMesh]:
    """A mesh that serves, and that is gone afterwards, whatever happens inside."""
    mesh = LocalMesh(plans, state)
    mesh.start()
    try:
        yield mesh
    finally:
        mesh.stop()


def free_base_port(shards: int, replicas: int, candidates: Sequence[int] = range(7000, 60000, 1000)) -> int:
    """The first of `candidates` whose ports nobody uses at the moment."""
    for base in candidates:
        ports = [each.port for each in plan(Path(), Path(), shards, replicas, base)]
        if all(_is_free(port) and _is_free(port + ADMIN_OFFSET) for port in ports):
            return base
    raise StartError("no range of free ports was found; stop another mesh")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def raise_on_signals() -> None:
    """SIGTERM and SIGINT become KeyboardInterrupt, also while the mesh is still starting."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)  # stopping has begun; a second signal must not break it off
        raise KeyboardInterrupt

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, interrupt)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Exits with 2 and a sentence when an argument is out of range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="a model bundle, or a folder of versions")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=2, help="of each retrieval shard")
    parser.add_argument("--stateless", type=int, default=1, help="instances of embedding and of ranking")
    parser.add_argument("--base-port", type=int, default=7000, help="the gateway's; the others follow from it")
    parser.add_argument("--state", type=Path, default=Path("var/mesh"), help="events, put items, configuration, logs")
    parsed = parser.parse_args(arguments)
    if parsed.shards < 1 or parsed.replicas < 1 or parsed.shards * parsed.replicas > MOST_PER_SERVICE:
        parser.error(f"--shards times --replicas must be 1 to {MOST_PER_SERVICE}")
    if not 1 <= parsed.stateless <= MOST_PER_SERVICE:
        parser.error(f"--stateless must be 1 to {MOST_PER_SERVICE}")
    if not 1024 <= parsed.base_port <= 65535 - 500:
        parser.error("--base-port must be 1024 to 65035: the mesh takes ports up to 500 above it")
    try:
        # One version for all, also for a process that is started again when a newer one lies in the folder.
        parsed.bundle = find_bundle(parsed.bundle.resolve())
    except BundleError as error:
        parser.error(str(error))
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    state = options.state.resolve()
    plans = plan(options.bundle, state, options.shards, options.replicas, options.base_port, options.stateless)
    raise_on_signals()
    try:
        with running_mesh(plans, state) as mesh:
            print(json.dumps(mesh.describe()), flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
