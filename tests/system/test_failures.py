"""What a user of the mesh sees while processes die."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recmesh.client import RpcError, aio, blocking
from tests.system.mesh import ROOT, await_serving, is_alive, running, start, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]  # the first to run waits for the fit

IN_FLIGHT = 16
CALLS_BEFORE, CALLS_AFTER = 200, 600


async def under_load(gateway: str, strike: Callable[[], None]) -> list[str]:
    """The failures of recommend() calls, IN_FLIGHT at a time, before and after `strike`."""
    failures: list[str] = []
    done = 0

    async def caller(number: int) -> None:
        nonlocal done
        while done < CALLS_BEFORE + CALLS_AFTER:
            done += 1
            if done == CALLS_BEFORE:
                strike()
            try:
                answer = await client.recommend(str(1 + (31 * done) % 610), count=10)
                if answer.degraded or len(answer.items) != 10:
                    failures.append(f"degraded {answer.degraded}, {len(answer.items)} items")
            except RpcError as error:
                failures.append(str(error))

    async with aio.Client(gateway) as client:
        await asyncio.gather(*(caller(number) for number in range(IN_FLIGHT)))
    return failures


@pytest.mark.parametrize("victim", ["retrieval-0-0", "retrieval-1-1"])
def test_killing_a_replica_under_load_fails_no_call(bundle: Path, tmp_path: Path, victim: str) -> None:
    with running(bundle, tmp_path) as mesh:
        assert asyncio.run(under_load(mesh.gateway, lambda: mesh.kill(victim))) == []
        assert victim not in mesh.left()


def test_a_shard_away_gives_a_partial_answer_that_says_so(bundle: Path, tmp_path: Path) -> None:
    with running(bundle, tmp_path) as mesh, blocking.Client(mesh.gateway) as client:
        whole = client.recommend("1", count=10)
        assert (whole.shards_answered, whole.shards_total, whole.degraded) == (2, 2, ())
        mesh.kill("retrieval-1-0", "retrieval-1-1")
        partial = client.recommend("1", count=10)
        assert (partial.shards_answered, partial.shards_total) == (1, 2)
        assert "retrieval" in partial.degraded and len(partial.items) == 10


@pytest.mark.parametrize("stage", ["embedding", "ranking", "feedback"])
def test_a_stage_away_is_named_and_the_answer_is_not_empty(bundle: Path, tmp_path: Path, stage: str) -> None:
    with running(bundle, tmp_path, replicas=1) as mesh, blocking.Client(mesh.gateway) as client:
        mesh.kill(f"{stage}-0")
        plainer = client.recommend("1", count=10)
        assert stage in plainer.degraded and len(plainer.items) == 10


@pytest.mark.parametrize("script", ["local_mesh.py", "up.py"])
def test_sigterm_ends_every_process(bundle: Path, tmp_path: Path, script: str) -> None:
    starter = start(bundle, tmp_path, script=script)
    mesh = await_serving(starter)
    assert set(mesh.left()) == set(mesh.pids)
    starter.send_signal(signal.SIGTERM)
    starter.communicate(timeout=60)
    assert starter.returncode == 0
    assert mesh.left() == []


def test_a_starter_that_is_killed_leaves_nothing_behind(bundle: Path, tmp_path: Path) -> None:
    starter = start(bundle, tmp_path, shards=1, replicas=1)
    mesh = await_serving(starter)
    starter.kill()
    starter.communicate(timeout=60)
    wait_until(lambda: not mesh.left(), "the processes to end with their starter")


def test_a_taken_port_is_named_and_nothing_is_left_behind(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with running(bundle, tmp_path / "first") as mesh:
        port = mesh.gateway.rpartition(":")[2]
        command = [sys.executable, str(ROOT / "examples" / "local_mesh.py"), "--bundle", str(bundle)]
        command += ["--base-port", port, "--state", str(tmp_path / "second")]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        assert set(mesh.left()) == set(mesh.pids)


def test_an_interrupted_demo_leaves_nothing_behind(bundle: Path) -> None:
    command = [sys.executable, "-u", str(ROOT / "examples" / "demo.py"), "--bundle", str(bundle)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "all serve" in line:
            break
    children = descendants(demo.pid)
    assert len(children) >= 8
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert [pid for pid in children if is_alive(pid)] == []


def test_the_demo_runs_without_a_failure(bundle: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), "--bundle", str(bundle), "--seconds", "3"]
    demo = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert demo.returncode == 0, demo.stderr
    assert "failures 0" in demo.stdout
    assert "Aliens" in demo.stdout and "The Lighthouse on Europa" in demo.stdout


def test_a_demo_without_its_bundle_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), "--bundle", str(tmp_path / "none")]
    demo = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert demo.returncode == 1
    assert demo.stderr.startswith(str(tmp_path / "none")) and "Traceback" not in demo.stderr


def descendants(pid: int) -> list[int]:
    """The processes a process started, directly or not."""
    parents = {int(path.name): parent_of(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    direct = [child for child, parent in parents.items() if parent == pid]
    return direct + [below for child in direct for below in descendants(child)]


def parent_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
