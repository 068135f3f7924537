"""Looks at a file of endpoints whenever it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recmesh.mesh.endpoint_file import LARGEST, read
from recmesh.mesh.known import LookError
from recmesh.mesh.resolver import EndpointAddress


class Watched:
    """A Look at one file. It is read again when its time, its size or the file itself is another one."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._seen: tuple[int, int, int] | None = None

    async def __call__(self) -> Sequence[EndpointAddress] | None:
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen == self._seen:
                return None
            if found.st_size > LARGEST:
                raise LookError(f"{self._path}: {found.st_size:,} bytes, over the most of {LARGEST:,}")
            text = self._path.read_text(encoding="utf-8")
        except OSError as error:
            self._seen = None
            raise LookError(f"{self._path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LookError(f"{self._path}: not UTF-8 text at byte {error.start}") from error
        endpoints = read(text, self._path.name)
        self._seen = seen  # one that cannot be read is looked at again: it may be half written
        return endpoints
