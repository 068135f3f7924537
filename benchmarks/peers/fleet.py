"""Replicas: the processes behind a contestant of benchmarks/faults.py, and what is done to one of them."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
VICTIM: Final = 0
RESTARTED: Final = 2.0  # seconds between two restarts, as an orchestrator that waits for readiness has them


def free_addresses(count: int) -> list[str]:
    """On loopback, each another; free for as long as nobody else asks."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


class Replicas:
    """The processes behind a contestant."""

    def __init__(self, kind: str, addresses: Sequence[str]) -> None:
        self._kind, self._addresses = kind, addresses
        self._processes = [self._start(each) for each in addresses]
        for each in self._processes:
            self._hear(each, "serving")

    def _start(self, address: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.peers.replica", self._kind, address]
        return subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _hear(self, process: subprocess.Popen[str], word: str) -> None:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if said != word:
            sys.exit(f"a replica on {self._kind} said {said!r} instead of {word!r}")

    async def signal(self, number: signal.Signals) -> None:
        self._processes[VICTIM].send_signal(number)

    async def order(self, kind: str) -> None:
        process = self._processes[VICTIM]
        assert process.stdin is not None
        process.stdin.write(f"{kind}\n")
        process.stdin.flush()
        await asyncio.to_thread(self._hear, process, kind)

    async def restart_all(self) -> None:
        for place, address in enumerate(self._addresses):
            self._processes[place].send_signal(signal.SIGTERM)
            await asyncio.to_thread(self._end, self._processes[place])
            self._processes[place] = self._start(address)
            await asyncio.to_thread(self._hear, self._processes[place], "serving")
            await asyncio.sleep(RESTARTED)

    def _end(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()

    def close(self) -> None:
        for each in self._processes:
            each.send_signal(signal.SIGCONT)
            each.kill()
            self._end(each)
