"""The file of a Unix socket: whose it is, and when one may be taken over."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager

MODE = 0o660  # who may connect: the server's user and group


@contextmanager
def claimed(path: str) -> Iterator[None]:
    """Within this `path` is free to be bound: a socket that nobody listens on is removed. OSError for any other file.

    Only one process at a time comes here for the sockets of a folder, so that none removes what another has just bound.
    """
    import fcntl  # not on every system that connects

    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _remove_left_over(path)
        yield
    finally:
        os.close(folder)


def bound(path: str) -> socket.socket:
    """A socket bound to `path`; OSError as `claimed` says."""
    with claimed(path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(path)
            os.chmod(path, MODE)
        except OSError:
            sock.close()
            raise
    return sock


def file_of(path: str) -> tuple[int, int] | None:
    """Tells a file from another that takes its place."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _remove_left_over(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "it is a file, and no socket", path)
    if _is_live(path):
        raise OSError(errno.EADDRINUSE, "Address already in use", path)
    os.unlink(path)


def _is_live(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # its queue is full
        except ConnectionRefusedError:
            return False
    return True
