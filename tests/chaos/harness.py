"""The proxy as a process that a test talks to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
STOP_SECONDS: Final = 30.0


class Proxy:
    """Runs tests/chaos/proxy.py between each listening address and its target."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self.listening: Sequence[str] = list(targets)
        pairs = [f"{listen}={target}" for listen, target in targets.items()]
        command = [sys.executable, "-m", "tests.chaos.proxy", *pairs]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()

    def tell(
        self, up: Mapping[str, Any] | None = None, down: Mapping[str, Any] | None = None, at: str = ""
    ) -> dict[str, int]:
        """The faults from now on, none where none are given; what is returned counts connections."""
        told = {"up": up or {}, "down": down or {}} | ({"at": at} if at else {})
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the proxy has ended"
        said: dict[str, int] = json.loads(line)
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(STOP_SECONDS)
        self._process.stdout.close()
