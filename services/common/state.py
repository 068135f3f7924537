"""A folder of durable state that one process owns at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from recmesh.ops.process import StartError

LOCK: Final = "owner.lock"


class StateFolder:
    """Made where it is missing; refused while another process holds it. Whoever dies lets go of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"{path}: {error.strerror}; set state to a folder this process can write") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StartError(f"{path} is in use by another process: stop it or set state to another folder") from error

    async def release(self) -> None:
        os.close(self._lock)
